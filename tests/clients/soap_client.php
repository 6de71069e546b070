<?php
// Loads WSDLs with ext-soap, submits a job, looks at it and reads a fault.
// Takes the path of a JSON file that says where the server is.

ini_set('soap.wsdl_cache_enabled', '0');
set_error_handler(function ($level, $message) { throw new ErrorException($message, 0, $level); });
const BASE = 'http://www.scene7.com/IpsApi/xsd';

function ensure(bool $holds, string $what, $found): void
{
    if (!$holds) {
        fwrite(STDERR, "$what: " . print_r($found, true) . "\n");
        exit(1);
    }
}

// ext-soap gives one item as an object, and several as an array.
function items($array): array
{
    $items = $array->items ?? [];
    return is_array($items) ? $items : [$items];
}

// As such clients send it: the element is unversioned, its children and its xsi:type are versioned.
function header_of(array $setup, string $namespace): SoapHeader
{
    $login = ['user' => $setup['user'], 'password' => $setup['password'], 'appName' => 'php', 'appVersion' => '8'];
    return new SoapHeader(BASE, 'authHeader', new SoapVar((object) $login, SOAP_ENC_OBJECT, 'authHeader', $namespace));
}

function expect_fault(SoapClient $client, string $version): void
{
    try {
        $client->getCompanyInfo(['companyName' => 'No such company']);
    } catch (SoapFault $fault) {
        $detail = $fault->detail->authorizationFault ?? null;
        ensure($detail !== null && (int) $detail->code === 20000, "$version: the detail of the fault", $fault);
        ensure(str_contains($detail->reason, 'companyName'), "$version: the reason of the fault", $detail);
        return;
    }
    ensure(false, "$version: a company that is not there was found", null);
}

function run(array $setup, array $facts, int $soap): void
{
    $options = ['cache_wsdl' => WSDL_CACHE_NONE, 'soap_version' => $soap, 'trace' => true];
    $client = new SoapClient("{$setup['url']}/scene7/webservice/{$facts['wsdl']}", $options);
    $client->__setSoapHeaders(header_of($setup, $facts['namespace']));
    $company = $client->getCompanyInfo(['companyName' => $facts['company']])->companyInfo;
    ensure($company->name === $facts['company'], 'getCompanyInfo', $company);
    $handle = $company->companyHandle;
    // Every key in an order of the caller's own: ext-soap takes the order of the WSDL.
    $reply = $client->submitJob([
        'uploadUrlsJob' => [
            'emailSetting' => 'None', 'createMask' => false, 'readyForPublish' => true, 'overwrite' => true,
            'urlArray' => ['items' => [['destPath' => '/shoe', 'sourceUrl' => 'http://127.0.0.1:9/shoe.jpg']]],
        ],
        'jobName' => "Held by PHP $soap", 'companyHandle' => $handle,
    ]);
    ensure(str_contains($reply->jobHandle, "|Held by PHP $soap|"), 'submitJob', $reply);
    $jobs = items($client->getActiveJobs(['companyHandle' => $handle, 'originalName' => "Held by PHP $soap"])->jobArray);
    ensure(count($jobs) === 1 && $jobs[0]->type === 'UrlUpload', 'getActiveJobs', $jobs);
    ensure($jobs[0]->uploadUrlsJob->emailSetting === 'None', 'the job element', $jobs[0]);
    $client->stopJob(['companyHandle' => $handle, 'jobHandle' => $jobs[0]->jobHandle]);
    if (in_array('saveMetadataField', $facts['operations'], true)) {
        $field = ['companyHandle' => $handle, 'assetType' => 'Image', 'name' => "Note $soap", 'fieldType' => 'Int', 'defaultValue' => ''];
        $note = $client->saveMetadataField($field)->fieldHandle;
        $shoe = items($client->searchAssets(['companyHandle' => $handle, 'includeSubfolders' => true])->assetArray)[0];
        $update = ['items' => [['value' => "$soap", 'fieldHandle' => $note]]];
        $of_shoe = ['companyHandle' => $handle, 'assetHandle' => $shoe->assetHandle];
        $client->setAssetMetadata($of_shoe + ['updateArray' => $update]);
        $shown = items($client->getAssets(['companyHandle' => $handle, 'assetHandleArray' => ['items' => [$shoe->assetHandle]]])->assetArray);
        $names = array_column(items($shown[0]->metadataArray), 'value', 'name');
        ensure(($names["Note $soap"] ?? null) === "$soap", 'metadataArray', $shown);
    }
    expect_fault($client, $facts['name']);
    $options += ['login' => $setup['user'], 'password' => $setup['password']];
    $basic = new SoapClient("{$setup['url']}/scene7/IpsApi" . substr($facts['wsdl'], 6), $options);
    ensure($basic->getCompanyInfo(['companyHandle' => $handle])->companyInfo->name === $company->name, 'Basic', $company);
    echo "{$facts['name']} SOAP $soap\n";
}

$setup = json_decode(file_get_contents($argv[1]), true, flags: JSON_THROW_ON_ERROR);
foreach ($setup['versions'] as $facts) {
    foreach ([SOAP_1_1, SOAP_1_2] as $soap) {
        run($setup, $facts, $soap);
    }
}
