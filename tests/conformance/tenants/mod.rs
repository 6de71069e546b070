//! A server with companies, users and assets, as far as the service layer sees it.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses a part of it, and only tests do")]

pub mod shop;

use std::sync::Arc;

use chrono::{TimeDelta, TimeZone, Utc};
use prepress::clock::{Clock, ManualClock, SharedClock};
use prepress::model::asset::{AssetType, PictureFacts};
use prepress::model::handle;
use prepress::model::id::{AccountId, AssetId, CompanyId};
use prepress::model::role::Role;
use prepress::service::FirstAdmin;
use prepress::service::admin::AddUser;
use prepress::service::{Caller, Credentials, Error, LoginSettings, Services, Settings};
use prepress::store::Store;
use prepress::store::assets::arrival::Arrival;
use prepress::store::assets::ingest::Master;
use prepress::store::companies::Company;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::support::{Attempt, Database, options, picture};

pub const PASSWORD: &str = "correct horse battery";

pub struct World {
    pub services: Services,
    pub store: Store,
    pub clock: Arc<ManualClock>,
    folder: tempfile::TempDir,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub async fn with(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(options(folder.path(), chrono_tz::Europe::Berlin)).await.unwrap();
        let clock = ManualClock::at(Utc.with_ymd_and_hms(2026, 11, 23, 9, 15, 0).unwrap());
        let shared: SharedClock = clock.clone();
        let services = Services::new(store.clone(), shared, settings).unwrap();
        Self { services, store, clock, folder }
    }

    pub async fn company(&self, name: &str) -> Company {
        self.services.add_company(name, None, None).await.unwrap()
    }

    /// Adds a user, or a membership, and logs in.
    pub async fn user(&self, email: &str, company: &str, role: Role) -> Caller {
        let known = self.store.account_with_email(email).await.unwrap().is_some();
        let user = AddUser {
            email: email.to_owned(),
            first_name: "Ada".to_owned(),
            last_name: "Lovelace".to_owned(),
            company: company.to_owned(),
            role,
            password: (!known).then(|| PASSWORD.to_owned()),
            locale: None,
        };
        self.services.add_user(user).await.unwrap();
        self.log_in(email).await
    }

    pub async fn log_in(&self, email: &str) -> Caller {
        self.services.authenticate(credentials(email, PASSWORD)).await.unwrap()
    }

    pub async fn admin(&self) -> Caller {
        let admin = FirstAdmin::generate("root@example.com").unwrap();
        self.services.add_first_admin(&admin).await.unwrap();
        self.services.authenticate(credentials(&admin.email, &admin.password)).await.unwrap()
    }

    pub async fn asset(&self, company: CompanyId, folder: &str, name: &str) -> AssetId {
        self.add(self.image(company, folder, name)).await
    }

    pub fn image(&self, company: CompanyId, folder: &str, name: &str) -> Arrival {
        picture(company, folder, name, self.clock.now())
    }

    /// Files it in a run of its own. There is a user by then, whose job that is.
    pub async fn add(&self, arrival: Arrival) -> AssetId {
        let mut attempt = self.attempt(arrival.company).await;
        let asset = attempt.add(arrival).await;
        attempt.end(self.clock.now()).await;
        asset
    }

    /// A run of the company to write in.
    pub async fn attempt(&self, company: CompanyId) -> Attempt {
        Attempt::begin(&self.store, company, AccountId(1), self.clock.now()).await
    }

    pub fn pass(&self, minutes: i64) {
        self.clock.advance(TimeDelta::minutes(minutes));
    }

    /// One number from the database file.
    pub async fn number(&self, sql: &str) -> i64 {
        Database::of(self.folder.path()).await.number(sql).await
    }

    /// Changes the database behind the program's back.
    pub async fn write(&self, sql: &str) {
        Database::of(self.folder.path()).await.execute(sql).await;
    }

    /// Calls an operation by its name, with the parameter in its JSON form.
    pub async fn call(&self, caller: &Caller, operation: &str, param: Value) -> Result<Value, Error> {
        let s = &self.services;
        match operation {
            "checkLogin" => shown(s.check_login(caller, read(param)).await),
            "getUserInfo" => shown(s.get_user_info(caller, read(param)).await),
            "getCompanyInfo" => shown(s.get_company_info(caller, read(param)).await),
            "getCompanyMembership" => shown(s.get_company_membership(caller, read(param)).await),
            "getCompanySettings" => shown(s.get_company_settings(caller, read(param)).await),
            "setCompanySettings" => shown(s.set_company_settings(caller, read(param)).await),
            "getPublishContexts" => shown(s.get_publish_contexts(caller, read(param)).await),
            "getActivePublishContexts" => shown(s.get_active_publish_contexts(caller, read(param)).await),
            "getFolders" => shown(s.get_folders(caller, read(param)).await),
            "getFolderTree" => shown(s.get_folder_tree(caller, read(param)).await),
            "createFolder" => shown(s.create_folder(caller, read(param)).await),
            "deleteFolder" => shown(s.delete_folder(caller, read(param)).await),
            "searchAssets" => shown(s.search_assets(caller, read(param)).await),
            "getAssets" => shown(s.get_assets(caller, read(param)).await),
            "getAssetsByName" => shown(s.get_assets_by_name(caller, read(param)).await),
            "renameAsset" => shown(s.rename_asset(caller, read(param)).await),
            "moveAsset" => shown(s.move_asset(caller, read(param)).await),
            "moveAssets" => shown(s.move_assets(caller, read(param)).await),
            "deleteAsset" => shown(s.delete_asset(caller, read(param)).await),
            "deleteAssets" => shown(s.delete_assets(caller, read(param)).await),
            "restoreAssetsFromTrash" => shown(s.restore_assets_from_trash(caller, read(param)).await),
            "emptyAssetsFromTrash" => shown(s.empty_assets_from_trash(caller, read(param)).await),
            "setAssetPublishState" => shown(s.set_asset_publish_state(caller, read(param)).await),
            "setAssetsPublishState" => shown(s.set_assets_publish_state(caller, read(param)).await),
            "forceRepublishAssets" => shown(s.force_republish_assets(caller, read(param)).await),
            "setAssetsContextState" => shown(s.set_assets_context_state(caller, read(param)).await),
            "batchGetAssetPublishContexts" => shown(s.batch_get_asset_publish_contexts(caller, read(param)).await),
            "getAssetPublishHistory" => shown(s.get_asset_publish_history(caller, read(param)).await),
            "getImageFormats" => shown(s.get_image_formats(caller, read(param)).await),
            "saveImageFormat" => shown(s.save_image_format(caller, read(param)).await),
            "deleteImageFormat" => shown(s.delete_image_format(caller, read(param)).await),
            "getProperty" => shown(s.get_property(caller, read(param)).await),
            "getSystemProperties" => shown(s.get_system_properties(caller, read(param)).await),
            "createImageSet" => shown(s.create_image_set(caller, read(param)).await),
            "updateImageSet" => shown(s.update_image_set(caller, read(param)).await),
            "getImageSetMembers" => shown(s.get_image_set_members(caller, read(param)).await),
            "setImageSetMembers" => shown(s.set_image_set_members(caller, read(param)).await),
            "createAssetSet" => shown(s.create_asset_set(caller, read(param)).await),
            "updateAssetSet" => shown(s.update_asset_set(caller, read(param)).await),
            "setAssetSetDefinition" => shown(s.set_asset_set_definition(caller, read(param)).await),
            "getAssociatedAssets" => shown(s.get_associated_assets(caller, read(param)).await),
            "getGenerationInfo" => shown(s.get_generation_info(caller, read(param)).await),
            "createPropertySetType" => shown(s.create_property_set_type(caller, read(param)).await),
            "getPropertySetTypes" => shown(s.get_property_set_types(caller, read(param)).await),
            "getPropertySetType" => shown(s.get_property_set_type(caller, read(param)).await),
            "deletePropertySetType" => shown(s.delete_property_set_type(caller, read(param)).await),
            "createPropertySet" => shown(s.create_property_set(caller, read(param)).await),
            "getPropertySets" => shown(s.get_property_sets(caller, read(param)).await),
            "updatePropertySet" => shown(s.update_property_set(caller, read(param)).await),
            "deletePropertySet" => shown(s.delete_property_set(caller, read(param)).await),
            "getMetadataFields" => shown(s.get_metadata_fields(caller, read(param)).await),
            "getAssetMetadataFields" => shown(s.get_asset_metadata_fields(caller, read(param)).await),
            "saveMetadataField" => shown(s.save_metadata_field(caller, read(param)).await),
            "createMetadataField" => shown(s.create_metadata_field(caller, read(param)).await),
            "updateMetadataField" => shown(s.update_metadata_field(caller, read(param)).await),
            "deleteMetadataField" => shown(s.delete_metadata_field(caller, read(param)).await),
            "getTagFieldValues" => shown(s.get_tag_field_values(caller, read(param)).await),
            "setTagFieldValues" => shown(s.set_tag_field_values(caller, read(param)).await),
            "addTagFieldValues" => shown(s.add_tag_field_values(caller, read(param)).await),
            "deleteTagFieldValues" => shown(s.delete_tag_field_values(caller, read(param)).await),
            "getUniqueMetadataValues" => shown(s.get_unique_metadata_values(caller, read(param)).await),
            "getDistinctMetadataValues" => shown(s.get_distinct_metadata_values(caller, read(param)).await),
            "searchAssetsByMetadata" => shown(s.search_assets_by_metadata(caller, read(param)).await),
            "setAssetMetadata" => shown(s.set_asset_metadata(caller, read(param)).await),
            "batchSetAssetMetadata" => shown(s.batch_set_asset_metadata(caller, read(param)).await),
            "deleteAssetMetadata" => shown(s.delete_asset_metadata(caller, read(param)).await),
            "submitJob" => shown(s.submit_job(caller, read(param)).await),
            other => panic!("no operation {other}"),
        }
    }
}

pub fn master(asset_type: AssetType, content: &str, bytes: u64) -> Master {
    Master {
        asset_type,
        blob: format!("blob of {content}"),
        bytes,
        pixels: Some((300, 200)),
        facts: PictureFacts { resolution: Some(72.0), ..PictureFacts::default() },
        making: Default::default(),
    }
}

pub fn credentials(user: &str, password: &str) -> Credentials {
    Credentials { user: Some(user.to_owned()), password: Some(password.to_owned()), ..Credentials::default() }
}

pub fn one_at_a_time(remembered: usize) -> Settings {
    let login =
        LoginSettings { remember: TimeDelta::minutes(10), remembered, verifications: 1, ..LoginSettings::default() };
    Settings { login, ..Settings::default() }
}

pub fn company_handle(company: &Company) -> String {
    handle::company(company.id)
}

pub fn asset_handle(asset: AssetId) -> String {
    handle::asset(asset, AssetType::Image)
}

fn read<T: DeserializeOwned>(param: Value) -> T {
    serde_json::from_value(param).unwrap()
}

fn shown<T: Serialize>(result: Result<T, Error>) -> Result<Value, Error> {
    result.map(|reply| serde_json::to_value(reply).unwrap())
}
