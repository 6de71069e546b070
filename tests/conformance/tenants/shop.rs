use prepress::model::id::{AssetId, CompanyId};
use prepress::model::role::Role;
use prepress::service::{Caller, Denied, Error, Settings};
use serde_json::{Value, json};

use super::{World, asset_handle, company_handle};

/// A company with one user.
pub struct Shop {
    pub world: World,
    pub ada: Caller,
    pub company: CompanyId,
    pub handle: String,
}

impl Shop {
    pub async fn new() -> Self {
        let settings =
            Settings { image_server_url: Some("https://img.example.com/is/image/".into()), ..Settings::default() };
        let world = World::with(settings).await;
        let company = world.company("Acme").await;
        let ada = world.user("ada@example.com", "Acme", Role::IpsUser).await;
        Self { ada, company: company.id, handle: company_handle(&company), world }
    }

    pub async fn call(&self, operation: &str, mut param: Value) -> Result<Value, Error> {
        param["companyHandle"] = json!(self.handle);
        self.world.call(&self.ada, operation, param).await
    }

    pub async fn refused(&self, operation: &str, param: Value) -> String {
        match self.call(operation, param).await {
            Err(Error::Refused(why)) => why,
            other => panic!("{operation}: expected a refusal, got {other:?}"),
        }
    }

    pub async fn invalid(&self, operation: &str, param: Value) -> String {
        match self.call(operation, param).await {
            Err(Error::Invalid(why) | Error::Denied(Denied::IllegalParameterValue(why))) => why.to_string(),
            other => panic!("{operation}: expected an invalid field, got {other:?}"),
        }
    }

    pub async fn asset(&self, folder: &str, name: &str) -> AssetId {
        self.world.asset(self.company, folder, name).await
    }

    pub async fn one(&self, asset: AssetId) -> Value {
        let found = self.call("getAssets", json!({"assetHandleArray": [asset_handle(asset)]})).await.unwrap();
        found["assetArray"][0].clone()
    }

    pub async fn folders(&self) -> Vec<String> {
        let found = self.call("getFolders", json!({})).await.unwrap();
        found["folderArray"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap().to_owned()).collect()
    }

    /// Names found by a search, in order, and the total.
    pub async fn search(&self, mut param: Value) -> (Vec<String>, u64) {
        if param.get("includeSubfolders").is_none() {
            param["includeSubfolders"] = json!(true);
        }
        let found = self.call("searchAssets", param).await.unwrap();
        let names = found["assetArray"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap().to_owned());
        (names.collect(), found["totalRows"].as_u64().unwrap())
    }

    pub async fn change(&self, asset: AssetId) -> i64 {
        self.world.number(&format!("SELECT change_seq FROM asset WHERE id = {asset}")).await
    }
}
