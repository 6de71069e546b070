//! A client as others are: SOAP over HTTP.

use std::net::SocketAddr;

use crate::model::id::CompanyId;
use crate::transport::cli::failure::Failure;
use crate::transport::soap::{self, SOAP_PATH};

pub struct Client {
    http: reqwest::Client,
    url: String,
    user: String,
    password: String,
}

const NAMESPACE: &str = "http://www.scene7.com/IpsApi/xsd/2014-04-03";

impl Client {
    pub fn new(address: SocketAddr, user: &str, password: String) -> Result<Self, Failure> {
        let http =
            reqwest::Client::builder().build().map_err(|e| Failure::new(format!("cannot make an HTTP client: {e}")))?;
        Ok(Self { http, url: format!("http://{address}{SOAP_PATH}"), user: user.to_owned(), password })
    }

    pub fn password(&self) -> &str {
        &self.password
    }

    /// Submits a job, given as its element, and gives its handle.
    pub async fn submit(&self, company: CompanyId, job: &str, element: &str) -> Result<String, Failure> {
        let body = format!(
            r#"<submitJobParam xmlns="{NAMESPACE}"><companyHandle>c|{company}</companyHandle><jobName>{job}</jobName>{element}</submitJobParam>"#
        );
        let envelope = format!(
            r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Header><authHeader xmlns="{NAMESPACE}"><user>{}</user><password>{}</password><appName>demo</appName><appVersion>1</appVersion></authHeader></soapenv:Header><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"#,
            self.user, self.password
        );
        let failed = |e: reqwest::Error| Failure::new(format!("cannot call {}: {e}", self.url));
        let request = self
            .http
            .post(&self.url)
            .header("Content-Type", "text/xml; charset=utf-8")
            .header("SOAPAction", "submitJob");
        let answer = request.body(envelope).send().await.map_err(failed)?.text().await.map_err(failed)?;
        let parsed = soap::parse(&answer, &soap::Limits::default())
            .map_err(|e| Failure::new(format!("the answer cannot be read: {e}")))?;
        let handle = parsed.child("Body").and_then(|body| body.child("submitJobReturn")?.child("jobHandle"));
        match handle {
            Some(handle) => Ok(handle.text.clone()),
            None => Err(Failure::new(format!("the submission was refused: {answer}"))),
        }
    }
}
