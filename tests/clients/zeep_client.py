"""Loads the WSDL of every version with zeep and calls every operation of the server.

Takes the path of a JSON file that says where the server is and what is in it. Every reply is checked three times: zeep
reads it strictly, its XML must be valid by the schema of the WSDL, and its values must be what was asked for.
"""

import itertools
import json
import sys
import time

import requests
import zeep
from lxml import etree
from requests.auth import HTTPBasicAuth
from zeep.plugins import HistoryPlugin
from zeep.transports import Transport

BASE = "http://www.scene7.com/IpsApi/xsd"
XSD = "{http://www.w3.org/2001/XMLSchema}"
# Fields that only some versions have; zeep refuses an argument that the version does not know.
SOME_VERSIONS = {"includeWaitingJobs", "renameFiles", "logTypeArray", "recordsPerPage", "resultsPage", "description"}
# What only an administrator of the server may do.
BY_ADMIN = {"createMetadataField"}
MODES = ["declared header", "Basic", "SOAP 1.2, unversioned header", "SOAP 1.2, versioned header"]


class Version:
    def __init__(self, setup, facts):
        self.setup, self.facts = setup, facts
        self.name, self.namespace = facts["name"], facts["namespace"]
        self.legacy = self.namespace == BASE
        session = requests.Session()
        self.history = HistoryPlugin()
        self.wsdl = f"{setup['url']}/scene7/webservice/{facts['wsdl']}"
        self.client = zeep.Client(self.wsdl, transport=Transport(session=session), plugins=[self.history])
        with_basic = requests.Session()
        with_basic.auth = HTTPBasicAuth(setup["user"], setup["password"])
        self.basic = zeep.Client(self.wsdl, transport=Transport(session=with_basic), plugins=[self.history])
        assert not self.client.settings.xsd_ignore_sequence_order and self.client.settings.strict
        self.schema = self.read_schema()
        self.modes = itertools.cycle(MODES)
        self.called = set()

    def read_schema(self):
        document = etree.fromstring(requests.get(self.wsdl, timeout=30).content)
        schemas = {found.get("targetNamespace"): found for found in document.iter(f"{XSD}schema")}
        # Written and read again, so that the prefixes that the WSDL declares around it come along.
        return etree.XMLSchema(etree.fromstring(etree.tostring(schemas[self.namespace])))

    def operations(self):
        return set(self.client.wsdl.services["IpsApiService"].ports["IpsApiSoapPort"].binding.all())

    def header(self, namespace, login):
        header = etree.Element(f"{{{namespace}}}authHeader", nsmap={None: namespace})
        for name, value in login.items():
            etree.SubElement(header, f"{{{namespace}}}{name}").text = value
        etree.SubElement(header, f"{{{namespace}}}appName").text = "zeep"
        etree.SubElement(header, f"{{{namespace}}}appVersion").text = "4"
        return header

    def fields_of(self, operation):
        """What the parameter of an operation has in this version."""
        element = self.client.get_element(f"{{{self.namespace}}}{operation}Param")
        return {name for name, _ in element.type.elements}

    def call(self, operation, **fields):
        mode = next(self.modes)
        login = {name: self.setup[name] for name in ("user", "password")}
        if operation in BY_ADMIN:
            login["user"] = self.setup["admin"]
            mode = next(self.modes) if mode == "Basic" else mode
        client = self.basic if mode == "Basic" else self.client
        port = "IpsApiSoap12Port" if "1.2" in mode else "IpsApiSoapPort"
        known = self.fields_of(operation)
        fields = {name: value for name, value in fields.items() if name in known or name not in SOME_VERSIONS}
        if mode == "declared header":
            fields["_soapheaders"] = {"authHeader": {**login, "appName": "zeep", "appVersion": "4"}}
        elif mode != "Basic":
            fields["_soapheaders"] = [self.header(BASE if "unversioned" in mode else self.namespace, login)]
        try:
            reply = getattr(client.bind("IpsApiService", port), operation)(**fields)
        except Exception as problem:
            raise AssertionError(f"{self.name} {operation} ({mode}): {problem}") from problem
        self.check_reply(operation, mode)
        self.called.add(operation)
        return reply

    def check_reply(self, operation, mode):
        envelope = self.history.last_received["envelope"]
        where = f"{self.name} {operation} ({mode})"
        soap = "http://www.w3.org/2003/05/soap-envelope" if "1.2" in mode else "http://schemas.xmlsoap.org/soap/envelope/"
        assert envelope.tag == f"{{{soap}}}Envelope", f"{where}: {envelope.tag}"
        result = etree.fromstring(etree.tostring(envelope.find(f"{{{soap}}}Body")[0]))
        assert result.tag == f"{{{self.namespace}}}{operation}Return", f"{where}: {result.tag}"
        if not self.schema.validate(result):
            raise AssertionError(f"{where}: {self.schema.error_log}\n{etree.tostring(result, pretty_print=True).decode()}")
        for element in result.iter():
            owner = element.getparent() if element.tag.endswith("}items") else element
            if owner is not None and owner.tag.endswith(("Handle", "HandleArray")) and element.text:
                prefix = element.text.partition("|")[0]
                is_legacy = not (1 <= len(prefix) <= 2 and prefix.isalpha() and prefix.islower())
                assert is_legacy == self.legacy, f"{where}: the handle {element.text} has the shape of another version"


def items(array):
    """The items of an array that may be empty, which zeep reads as None."""
    return (array["items"] or []) if array is not None and not isinstance(array, list) else (array or [])


def wait_for(what, look):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited in vain for {what}")


def session(version, has):
    setup = version.setup
    assert version.call("checkLogin", email=setup["user"], password=setup["password"]) == "ValidLogin"
    assert version.call("checkLogin", email=setup["user"], password="wrong") == "InvalidLogin"
    user = version.call("getUserInfo")
    assert user["email"] == setup["user"] and user["firstName"] == "Ada", user
    company = version.call("getCompanyInfo", companyName=version.facts["company"])
    assert company["name"] == version.facts["company"] and company["rootPath"].endswith("/"), company
    memberships = version.call("getCompanyMembership", userHandle=user["userHandle"])
    names = [found["company"]["name"] if "company" in found else found["name"] for found in items(memberships)]
    assert company["name"] in names, memberships
    assert version.call("getProperty", name="IpsVersion")
    if has("getSystemProperties"):
        properties = items(version.call("getSystemProperties"))
        assert "UploadPostMaxFileSize" in [found["name"] for found in properties], properties
    handle = company["companyHandle"]
    if has("getCompanySettings"):
        version.call("setCompanySettings", companyHandle=handle, overwriteMode="OverwriteAnyExt", retainPublishState=True)
        settings = version.call("getCompanySettings", companyHandle=handle)
        assert settings["overwriteMode"] == "OverwriteAnyExt" and settings["retainPublishState"], settings
    if has("getPublishContexts"):
        contexts = items(version.call("getPublishContexts", companyHandle=handle))
        assert "ImageServing" in [context["contextType"] for context in contexts], contexts
    if has("getActivePublishContexts"):
        assert "ImageServing" in items(version.call("getActivePublishContexts", companyHandle=handle))
    if has("saveImageFormat"):
        saved = version.call("saveImageFormat", companyHandle=handle, name="Small", urlModifier="wid=100&fmt=png")
        formats = items(version.call("getImageFormats", companyHandle=handle))
        assert [(found["name"], found["imageFormatHandle"]) for found in formats] == [("Small", saved)], formats
        version.call("deleteImageFormat", companyHandle=handle, imageFormatHandle=saved)
        assert not items(version.call("getImageFormats", companyHandle=handle))
    return company


def folders(version, company):
    handle, root = company["companyHandle"], company["rootPath"]
    spring = version.call("createFolder", companyHandle=handle, folderPath=f"{root}Seasons/Spring")
    assert spring.endswith(f"{root}Seasons/Spring/"), spring
    # The reply has only the array in the oldest schema, and more beside it in later ones.
    found = version.call("getFolders", companyHandle=handle, folderPath=root)
    array = found["folderArray"] if "folderArray" in found else found
    paths = [folder["path"] for folder in items(array)]
    assert any(path.endswith(f"{root}Seasons/") for path in paths), paths
    tree = version.call("getFolderTree", companyHandle=handle, folderPath=root, depth=3)
    top = tree["folders"] if "folders" in tree else tree
    assert top["hasSubfolders"], tree
    return spring


def assets(version, company, spring, has):
    handle = company["companyHandle"]
    found = version.call("searchAssets", companyHandle=handle, includeSubfolders=True, recordsPerPage=10)
    by_name = {asset["name"]: asset["assetHandle"] for asset in items(found["assetArray"])}
    assert set(by_name) == {"shoe", "boot", "sandal", "clog"} and found["totalRows"] == 4, found
    shoe, boot, sandal, clog = (by_name[name] for name in ("shoe", "boot", "sandal", "clog"))
    one = items(version.call("getAssets", companyHandle=handle, assetHandleArray={"items": [shoe]}))
    assert [asset["name"] for asset in one] == ["shoe"] and one[0]["imageInfo"]["width"] == 300, one
    if has("getAssetsByName"):
        one = items(version.call("getAssetsByName", companyHandle=handle, nameArray={"items": ["boot", "nothing"]}))
        assert [asset["assetHandle"] for asset in one] == [boot], one
    fields = {"companyHandle": handle, "assetHandle": boot}
    version.call("renameAsset", **fields, newName="wellington", validateName=True, renameFiles=True)
    version.call("moveAsset", **fields, folderHandle=spring)
    version.call("setAssetPublishState", **fields, publishState="MarkedForPublish")
    moved = items(version.call("getAssets", companyHandle=handle, assetHandleArray={"items": [boot]}))[0]
    assert moved["name"] == "wellington" and moved["folder"].endswith("Seasons/Spring/"), moved
    assert moved["readyForPublish"], moved
    batches = {
        "moveAssets": {"assetMoveArray": {"items": [{"assetHandle": sandal, "folderHandle": spring}]}},
        "setAssetsPublishState": {
            "publishStateUpdateArray": {"items": [{"assetHandle": sandal, "publishState": "MarkedForPublish"}]}
        },
        "forceRepublishAssets": {"assetHandleArray": {"items": [sandal]}},
        "deleteAssets": {"assetHandleArray": {"items": [sandal, "a|999999"]}},
    }
    for operation, fields in batches.items():
        if has(operation):
            done = version.call(operation, companyHandle=handle, **fields)
            failed = 1 if operation == "deleteAssets" else 0
            assert (done["successCount"], done["errorCount"]) == (1, failed), done
    version.call("deleteAsset", companyHandle=handle, assetHandle=clog)
    return shoe


def sets(version, company, shoe, has):
    """Of pictures that lie in the root folder; the sets go to the trash in the end."""
    handle = company["companyHandle"]
    place = {"companyHandle": handle, "folderHandle": company["rootPath"]}
    views = version.call("createImageSet", **place, name="Shoe views", type="SpinSet")
    of_set = {"companyHandle": handle, "assetHandle": views}
    assert items(version.call("getImageSetMembers", **of_set)) == []
    seats = {"items": [{"assetHandle": shoe, "pageReset": False}]}
    version.call("setImageSetMembers", **of_set, memberArray=seats)
    members = items(version.call("getImageSetMembers", **of_set))
    assert [(one["asset"]["name"], one["pageReset"]) for one in members] == [("shoe", True)], members
    if has("updateImageSet"):
        version.call("updateImageSet", **of_set, thumbAssetHandle=shoe)
    if has("getAssociatedAssets") and has("createPropertySet"):
        found = version.call("getAssociatedAssets", **of_set)
        assert [one["assetHandle"] for one in items(found["memberArray"])] == [shoe], found
        assert found["thumbAsset"]["name"] == "shoe", found
    elif has("getAssociatedAssets"):
        version.call("getAssociatedAssets", **of_set)
    if has("getGenerationInfo"):
        version.call("getGenerationInfo", companyHandle=handle, originatorHandle=shoe)
    if has("createAssetSet"):
        definition = f"${{getCatalogId([{shoe}])}};;1"
        media = version.call("createAssetSet", **place, name="Media", subType="MediaSet", setDefinition=definition)
        of_media = {"companyHandle": handle, "assetHandle": media}
        version.call("setAssetSetDefinition", **of_media, setDefinition=definition)
        if has("updateAssetSet"):
            version.call("updateAssetSet", **of_media, setDefinition=definition, thumbAssetHandle=shoe)
        shown = items(version.call("getAssets", companyHandle=handle, assetHandleArray={"items": [media]}))[0]
        assert shown["subType"] == "MediaSet" and shown["assetSetInfo"]["setDefinition"] == definition, shown
        version.call("deleteAsset", companyHandle=handle, assetHandle=media)
    version.call("deleteAsset", companyHandle=handle, assetHandle=views)


def property_sets(version, company, has):
    """Of types that companies make, and of the built-in ones."""
    if not has("createPropertySet"):
        return
    handle = company["companyHandle"]
    names = [one["name"] for one in items(version.call("getPropertySetTypes", companyHandle=handle))]
    assert names == ["SetScript", "VideoEncodingPreset"], names
    season = version.call(
        "createPropertySetType", companyHandle=handle, name="Season", propertyType="CompanyProperty", allowMultiple=True
    )
    for where in ({"companyHandle": handle}, {}):
        found = version.call("getPropertySetType", **where, name="Season")
        assert (found["typeHandle"], found["companyHandle"], found["allowMultiple"]) == (season, handle, True), found
    owned = {"typeHandle": season, "primaryOwnerHandle": handle}
    values = lambda **pairs: {"items": [{"name": name, "value": value} for name, value in pairs.items()]}
    made = version.call("createPropertySet", **owned, propertyArray=values(colour="red", size="XL"))
    version.call("updatePropertySet", setHandle=made, propertyArray=values(colour="blue"))
    sets = items(version.call("getPropertySets", **owned))
    kept = {one["name"]: one["value"] for one in items(sets[0]["propertyArray"])}
    assert len(sets) == 1 and sets[0]["setHandle"] == made and kept == {"colour": "blue", "size": "XL"}, sets
    version.call("updatePropertySet", setHandle=made, replaceProperties=True, propertyArray={})
    assert items(items(version.call("getPropertySets", **owned))[0]["propertyArray"]) == []
    version.call("deletePropertySet", setHandle=made)
    assert items(version.call("getPropertySets", **owned)) == []
    version.call("deletePropertySetType", typeHandle=season)

    scripts = version.call("getPropertySetType", companyHandle=handle, name="SetScript")["typeHandle"]
    script = items(version.call("getPropertySets", typeHandle=scripts, primaryOwnerHandle=handle))[0]
    assert {"name": "match", "value": "(.*)-[0-9]+"} in [
        {"name": one["name"], "value": one["value"]} for one in items(script["propertyArray"])
    ], script


UPLOAD = {
    "urlArray": {"items": [{"sourceUrl": "http://127.0.0.1:9/shoe.jpg", "destPath": "/shoe"}]},
    "overwrite": True,
    "readyForPublish": False,
    "createMask": False,
    "emailSetting": "None",
}


def jobs(version, company, shoe, has):
    handle = company["companyHandle"]
    active = lambda name: items(version.call("getActiveJobs", companyHandle=handle, originalName=name))
    submitted = version.call("submitJob", companyHandle=handle, jobName="Upload", uploadUrlsJob=UPLOAD)
    assert submitted.endswith("|Upload|" if version.legacy else "|Upload||"), submitted
    wait_for("the upload", lambda: not active("Upload"))
    logs = [log for log in items(version.call("getJobLogs", companyHandle=handle)) if log["jobName"].startswith("Upload_")]
    assert logs and logs[0]["fileSuccessCount"] == 1 and logs[0]["endDate"], logs
    details = items(version.call("getJobLogDetails", companyHandle=handle, jobHandle=logs[0]["jobHandle"]))
    lines = items(details[0]["detailArray"])
    assert [line["assetName"] for line in lines if line["logType"] == "UploadSuccess"] == ["shoe"], lines
    if has("getUploadTaskStatus"):
        for named in (logs[0]["jobHandle"], submitted):
            cluster = items(version.call("getUploadTaskStatus", jobHandle=named))[0]
            status = items(cluster["statusArray"])[0]
            assert status["jobHandle"] == logs[0]["jobHandle"], status
            files = [task["file"] for task in items(status["taskArray"])]
            assert files == [UPLOAD["urlArray"]["items"][0]["sourceUrl"]], status
    if has("getAssetJobLogs"):
        lines = items(version.call("getAssetJobLogs", companyHandle=handle, assetHandle=shoe))
        assert [line["logType"] for line in lines] == ["UploadSuccess"], lines

    publish = {"publishType": "Full", "emailSetting": "None"}
    nightly = version.call(
        "submitJob",
        companyHandle=handle,
        jobName="Nightly",
        execSchedule="0 0 3 * * ?",
        description="by night",
        imageServingPublishJob=publish,
    )
    # One job of each kind waits in every company; a version shows those whose element it has, and the rest without.
    kinds = items(version.call("getScheduledJobs", companyHandle=handle))
    elements = [name for job in kinds for name in job if name.endswith("Job") and job[name] is not None]
    assert len(kinds) == 14 and len(elements) >= 7, kinds
    # What a version can submit, it shows; and its WSDL lets a client say all that the server asks for.
    later = {"companyHandle": handle, "execTime": "2098-01-01T00:00:00Z"}
    reprocess = {"assetHandleArray": {"items": [shoe]}, "createMask": False, "emailSetting": "None"}
    directory = {name: False for name in ("overwrite", "readyForPublish", "includeSubfolders", "createMask")}
    directory |= {"serverDir": "in", "processMetadataFiles": True, "emailSetting": "None"}
    orders = {
        "optimizeImagesJob": {"emailSetting": "None"},
        "reprocessAssetsJob": reprocess,
        "uploadDirectoryJob": directory,
    }
    for element in orders.keys() & version.fields_of("submitJob"):
        waiting = version.call("submitJob", **later, jobName=element, **{element: orders[element]})
        found = items(version.call("getScheduledJobs", companyHandle=handle, originalName=element))
        assert len(found) == 1 and found[0][element]["emailSetting"] == "None", (element, found)
        version.call("deleteJob", companyHandle=handle, jobHandle=waiting)
    scheduled = lambda: items(version.call("getScheduledJobs", companyHandle=handle, originalName="Nightly"))
    assert [job["triggerState"] for job in scheduled()] == ["Normal"], scheduled()
    job = {"companyHandle": handle, "jobHandle": nightly}
    version.call("pauseJob", **job)
    assert [job["triggerState"] for job in scheduled()] == ["Paused"]
    version.call("resumeJob", **job)
    assert [job["execSchedule"] for job in scheduled()] == ["0 0 3 * * ?"]
    version.call("executeJob", **job)
    wait_for("the run beside the schedule", lambda: not active("Nightly"))
    version.call("deleteJob", **job)
    assert not scheduled()

    version.call("submitJob", companyHandle=handle, jobName="Held upload", uploadUrlsJob=UPLOAD)
    running = wait_for(
        "the held job", lambda: [job for job in active("Held upload") if job["state"] == "Running" and job["progress"] == 1]
    )[0]
    assert running["totalSize"] == 3 and running["type"] == "UrlUpload", running
    assert running["uploadUrlsJob"]["emailSetting"] == "None", running
    version.call("stopJob", companyHandle=handle, jobHandle=running["jobHandle"])
    wait_for("the stop", lambda: not active("Held upload"))


def faults(version):
    """Of both SOAP versions, with readable details."""
    for port in ("IpsApiSoapPort", "IpsApiSoap12Port"):
        service = version.basic.bind("IpsApiService", port)
        try:
            service.getCompanyInfo(companyName="No such company")
        except zeep.exceptions.Fault as fault:
            element = fault.detail[0]
            assert element.tag == f"{{{BASE}}}authorizationFault", etree.tostring(element)
            assert element.findtext(f"{{{BASE}}}code") == "20000", etree.tostring(element)
            assert "companyName" in element.findtext(f"{{{BASE}}}reason"), etree.tostring(element)
        else:
            raise AssertionError("a company that is not there was found")


def trash_and_contexts(version, company, shoe, has):
    handle = company["companyHandle"]
    one = {"companyHandle": handle, "assetHandleArray": {"items": [shoe]}}
    for operation in ("restoreAssetsFromTrash", "emptyAssetsFromTrash"):
        if has(operation):
            reply = version.call(operation, **one)
            assert (reply["successCount"], reply["errorCount"]) == (0, 1), "it is not in the trash"
    if has("getAssetPublishHistory"):
        assert not items(version.call("getAssetPublishHistory", companyHandle=handle, assetHandle=shoe))
    if has("batchGetAssetPublishContexts"):
        contexts = items(version.call("batchGetAssetPublishContexts", **one))
        assert len(contexts) == 1, contexts
    if has("setAssetsContextState"):
        context = items(version.call("getPublishContexts", companyHandle=handle))[0]["contextHandle"]
        state = {"contextHandle": context, "publishState": "NotMarkedForPublish"}
        update = {"assetHandle": shoe, "contextStateUpdateArray": {"items": [state]}}
        reply = version.call(
            "setAssetsContextState", companyHandle=handle, assetsContextStateUpdateArray={"items": [update]}
        )
        assert reply["errorCount"] == 0, reply


def metadata(version, company, shoe, has):
    """Fields that a company defines, and values of the picture, which are gone in the end."""
    handle, legacy = company["companyHandle"], version.legacy
    number = handle.removeprefix("c|")
    of = lambda rest: f"{number}|{rest}" if legacy else f"m|{number}|{rest}"
    season = version.call(
        "saveMetadataField", companyHandle=handle, assetType="Asset", name="Season", fieldType="MultiTag", defaultValue=""
    )
    assert season == of("ALL|Season"), season
    fields = items(version.call("getMetadataFields", companyHandle=handle, assetType="Image"))
    assert [(one["name"], one["type"], one["isUserDefined"]) for one in fields] == [("Season", "MultiTag", True)], fields
    update = lambda field, **value: {"items": [{"fieldHandle": field, **value}]}
    of_shoe = {"companyHandle": handle, "assetHandle": shoe}
    version.call("setAssetMetadata", **of_shoe, updateArray=update(season, value="spring,autumn"))
    version.call("setAssetMetadata", **of_shoe, updateArray=update(of("ALL|dc.title"), value="Schuh 靴"))
    shown = items(version.call("getAssets", companyHandle=handle, assetHandleArray={"items": [shoe]}))[0]
    values = {one["name"]: one["value"] for one in items(shown["metadataArray"])}
    assert values == {"Season": "spring,autumn", "dc.title": "Schuh 靴"}, values
    assert items(version.call("getUniqueMetadataValues", companyHandle=handle, fieldHandle=season)) == ["autumn", "spring"]
    if has("batchSetAssetMetadata"):
        batch = {"assetHandleArray": {"items": [shoe, "a|999999"]}, "updateArray": update(season, value="summer")}
        done = version.call("batchSetAssetMetadata", companyHandle=handle, updateArray={"items": [batch]})
        assert (done["successCount"], done["errorCount"]) == (1, 1), done
    if has("getAssetMetadataFields"):
        groups = items(version.call("getAssetMetadataFields", companyHandle=handle))
        assert [one["assetType"] for one in groups] == ["Asset"], groups
    if has("getDistinctMetadataValues"):
        counts = items(version.call("getDistinctMetadataValues", companyHandle=handle, metadataKey="dc.title"))
        assert [(one["value"], one["count"]) for one in counts] == [("Schuh 靴", 1)], counts
    if has("addTagFieldValues"):
        tags = {"companyHandle": handle, "fieldHandle": season, "valueArray": {"items": ["winter"]}}
        version.call("addTagFieldValues", **tags)
        version.call("setTagFieldValues", **tags)
        found = items(version.call("getTagFieldValues", companyHandle=handle, fieldHandleArray={"items": [season]}))
        assert items(found[0]["valueArray"]) == ["winter"], found
        version.call("deleteTagFieldValues", **tags)
    if has("searchAssetsByMetadata"):
        condition = {"fieldHandle": "dc.title", "op": "Contains", "value": "靴"}
        found = version.call(
            "searchAssetsByMetadata",
            companyHandle=handle,
            metadataConditionArray={"items": [condition]},
            responseMetadataArray={"items": ["dc.title"]},
        )
        summary = items(found["assetSummaryArray"])[0]
        assert found["totalRows"] == 1 and summary["name"] == "shoe", found
        assert [one["value"] for one in items(summary["metadataArray"])] == ["Schuh 靴"], found
    if has("deleteAssetMetadata"):
        version.call("deleteAssetMetadata", **of_shoe, deleteArray={"items": [{"fieldHandle": of("ALL|dc.title")}]})
    if has("createMetadataField"):
        note = version.call(
            "createMetadataField", companyHandle=handle, assetType="Image", name="Note", fieldType="String"
        )
        renamed = version.call("updateMetadataField", companyHandle=handle, fieldHandle=note, name="Remark")
        assert renamed.endswith("IMAGE|Remark"), renamed
        version.call("deleteMetadataField", companyHandle=handle, fieldHandle=renamed)


def run(setup, facts):
    version = Version(setup, facts)
    has = facts["operations"].__contains__
    offered = version.operations()
    missing = set(facts["operations"]) - offered
    assert not missing, f"{version.name}: the WSDL lacks {sorted(missing)}"
    for _ in range(setup["rotate"]):
        next(version.modes)
    setup["rotate"] += 1
    company = session(version, has)
    spring = folders(version, company)
    shoe = assets(version, company, spring, has)
    sets(version, company, shoe, has)
    property_sets(version, company, has)
    trash_and_contexts(version, company, shoe, has)
    metadata(version, company, shoe, has)
    jobs(version, company, shoe, has)
    version.call("deleteFolder", companyHandle=company["companyHandle"], folderHandle=spring)
    faults(version)
    left = set(facts["operations"]) - version.called
    assert not left, f"{version.name}: never called: {sorted(left)}"
    print(f"{version.name}: {len(version.called)} operations")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        setup = json.load(file)
    setup["rotate"] = 0
    for facts in setup["versions"]:
        run(setup, facts)


if __name__ == "__main__":
    main()
