//! Logins, users, companies and what the command line does to them.

mod property_sets;

use crate::tenants::{PASSWORD, World, company_handle, credentials, one_at_a_time};
use chrono::TimeDelta;
use prepress::clock::Clock;
use prepress::model::asset::AssetType;
use prepress::model::id::CompanyId;
use prepress::model::locale::Locale;
use prepress::model::role::Role;
use prepress::service::admin::{AddUser, UserAdded};
use prepress::service::{
    Caller, Credentials, Denied, Error, FirstAdmin, NotAuthenticated, Services, Settings, password,
};
use prepress::store::accounts::NewAccount;
use serde_json::{Value, json};

fn refusal(result: Result<Caller, Error>) -> NotAuthenticated {
    match result {
        Err(Error::NotAuthenticated(why)) => why,
        other => panic!("expected a refused login, got {other:?}"),
    }
}

fn denial(result: Result<Value, Error>) -> Denied {
    match result {
        Err(Error::Denied(why)) => why,
        other => panic!("expected a denial, got {other:?}"),
    }
}

fn refused(result: Result<impl std::fmt::Debug, Error>) -> String {
    match result {
        Err(Error::Refused(why)) => why,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn invalid(result: Result<impl std::fmt::Debug, Error>) -> String {
    match result {
        Err(Error::Invalid(why)) => why.field,
        other => panic!("expected an invalid field, got {other:?}"),
    }
}

#[tokio::test]
async fn logins_are_refused_with_their_reason() {
    let world = World::new().await;
    world.company("Acme").await;
    let ada = world.user("ada@example.com", "Acme", Role::IpsUser).await;
    let services = &world.services;
    for missing in [
        Credentials::default(),
        Credentials { user: Some("ada@example.com".into()), ..Credentials::default() },
        Credentials { password: Some(PASSWORD.into()), ..Credentials::default() },
        credentials("  ", PASSWORD),
    ] {
        assert_eq!(refusal(services.authenticate(missing).await), NotAuthenticated::NoCredentials);
    }
    let long = "x".repeat(5000);
    for (user, password) in [
        ("ada@example.com", "wrong"),
        ("ada@example.com", ""),
        ("ada@example.com", &long),
        ("nobody@example.com", PASSWORD),
        (long.as_str(), PASSWORD),
    ] {
        let error = services.authenticate(credentials(user, password)).await;
        assert_eq!(refusal(error), NotAuthenticated::InvalidCredentials);
    }
    assert_eq!(services.authenticate(credentials("ADA@example.com", PASSWORD)).await.unwrap().account, ada.account);

    world.write(&format!("UPDATE account SET is_valid = 0 WHERE id = {}", ada.account)).await;
    let closed = |password: &str| services.authenticate(credentials("ada@example.com", password));
    assert_eq!(refusal(closed(PASSWORD).await), NotAuthenticated::InvalidUser);
    assert_eq!(refusal(closed("wrong").await), NotAuthenticated::InvalidCredentials, "told only to who knows it");
}

#[tokio::test]
async fn passwords_expire() {
    let world = World::new().await;
    let acme = world.company("Acme").await;
    let account = NewAccount {
        email: "ada@example.com".into(),
        first_name: String::new(),
        last_name: String::new(),
        password_hash: password::hash(PASSWORD.into(), password::Rules::default()).await.unwrap(),
        is_ips_admin: false,
        locale: Some(Locale::parse("pt-BR").unwrap()),
        password_expires_at: Some(world.clock.now() + TimeDelta::minutes(5)),
        membership: Some((acme.id, Role::IpsUser)),
        at: world.clock.now(),
    };
    world.store.add_account(account).await.unwrap();
    let caller = world.log_in("ada@example.com").await;
    assert_eq!(caller.locale.as_str(), "pt-BR");
    let info = world.call(&caller, "getUserInfo", json!({})).await.unwrap();
    assert_eq!(info["userInfo"]["passwordExpires"], "2026-11-23T09:20:00.000Z");
    world.pass(5);
    let again = world.services.authenticate(credentials("ada@example.com", PASSWORD)).await;
    assert_eq!(refusal(again), NotAuthenticated::InvalidUser, "although the login is remembered");
    world.services.set_password("ada@example.com", PASSWORD.into()).await.unwrap();
    world.log_in("ada@example.com").await;
}

#[tokio::test]
async fn the_request_decides_the_locale_before_the_account() {
    let world = World::new().await;
    world.company("Acme").await;
    world.user("ada@example.com", "Acme", Role::IpsUser).await;
    assert_eq!(world.log_in("ada@example.com").await.locale, Locale::english());
    let german = Locale::parse("de").unwrap();
    let login = Credentials { locale: Some(german.clone()), ..credentials("ada@example.com", PASSWORD) };
    assert_eq!(world.services.authenticate(login).await.unwrap().locale, german);
}

#[tokio::test]
async fn a_verified_login_is_remembered_for_a_while() {
    let world = World::with(one_at_a_time(100)).await;
    world.company("Acme").await;
    world.user("ada@example.com", "Acme", Role::IpsUser).await;
    assert_eq!(world.services.passwords_verified(), 1);
    for _ in 0..50 {
        world.log_in("ada@example.com").await;
    }
    assert_eq!(world.services.passwords_verified(), 1);
    world.pass(11);
    world.log_in("ada@example.com").await;
    assert_eq!(world.services.passwords_verified(), 2);
}

#[tokio::test]
async fn wrong_passwords_and_unknown_users_cost_a_verification_each_time() {
    let world = World::with(one_at_a_time(100)).await;
    world.company("Acme").await;
    world.user("ada@example.com", "Acme", Role::IpsUser).await;
    for user in ["ada@example.com", "nobody@example.com"] {
        let before = world.services.passwords_verified();
        for _ in 0..2 {
            assert!(world.services.authenticate(credentials(user, "wrong password")).await.is_err());
        }
        assert_eq!(world.services.passwords_verified() - before, 2, "{user}");
    }
}

#[tokio::test]
async fn the_same_new_login_many_times_at_once_is_verified_once() {
    let world = World::with(one_at_a_time(100)).await;
    world.company("Acme").await;
    world.user("ada@example.com", "Acme", Role::IpsUser).await;
    world.pass(11);
    let before = world.services.passwords_verified();
    let logins = (0..20).map(|_| world.log_in("ada@example.com"));
    futures_util::future::join_all(logins).await;
    assert_eq!(world.services.passwords_verified() - before, 1);
}

fn from(peer: &str, user: &str, password: &str) -> Credentials {
    Credentials { peer: Some(peer.parse().expect("an address")), ..credentials(user, password) }
}

#[tokio::test]
async fn where_a_user_has_logged_in_from_is_known_after_a_restart() {
    let world = World::with(one_at_a_time(0)).await;
    world.company("Acme").await;
    let ada = world.user("ada@example.com", "Acme", Role::IpsUser).await;
    for home in ["192.0.2.7", "2001:db8:0:1::7"] {
        world.services.authenticate(from(home, "ada@example.com", PASSWORD)).await.unwrap();
    }
    let restarted = Services::new(world.store.clone(), world.clock.clone(), one_at_a_time(0)).unwrap();
    for n in 0..10 {
        let stranger = from(&format!("198.51.100.{n}"), "ada@example.com", &format!("guess {n}"));
        assert_eq!(refusal(restarted.authenticate(stranger).await), NotAuthenticated::InvalidCredentials);
    }
    for home in ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8:0:1:ffff::9"] {
        restarted.authenticate(from(home, "ada@example.com", PASSWORD)).await.unwrap();
    }
    let elsewhere = restarted.authenticate(from("192.0.2.8", "ada@example.com", PASSWORD));
    let (elsewhere, ()) = tokio::join!(elsewhere, async {
        while restarted.logins_waiting() == 0 {
            tokio::task::yield_now().await;
        }
        world.clock.advance(TimeDelta::milliseconds(500));
    });
    elsewhere.unwrap();

    for n in 0..150 {
        let at = world.clock.now() + TimeDelta::seconds(n);
        let network = format!("10.0.0.{n}").parse().unwrap();
        world.store.note_network(ada.account, network, at).await.unwrap();
    }
    assert_eq!(world.number("SELECT count(*) FROM account_network").await, 100);
    assert_eq!(world.number("SELECT count(*) FROM account_network WHERE network = '10.0.0.149'").await, 1);
    assert_eq!(world.number("SELECT count(*) FROM account_network WHERE network = '192.0.2.7'").await, 0);
}

#[tokio::test]
async fn names_that_nobody_has_are_counted_like_those_of_users() {
    let world = World::with(one_at_a_time(0)).await;
    world.company("Acme").await;
    world.user("ada@example.com", "Acme", Role::IpsUser).await;
    for (line, user) in ["ada@example.com", "nobody@example.com"].into_iter().enumerate() {
        for n in 0..10 {
            let stranger = from(&format!("10.{line}.0.{n}"), user, &format!("guess {n}"));
            assert_eq!(refusal(world.services.authenticate(stranger).await), NotAuthenticated::InvalidCredentials);
        }
        let eleventh = world.services.authenticate(from(&format!("10.{line}.1.1"), user, "guess"));
        let (eleventh, ()) = tokio::join!(eleventh, async {
            while world.services.logins_waiting() == 0 {
                tokio::task::yield_now().await;
            }
            world.clock.advance(TimeDelta::milliseconds(500));
        });
        assert_eq!(refusal(eleventh), NotAuthenticated::InvalidCredentials, "{user}");
    }
    assert_eq!(world.services.passwords_verified(), 1 + 22, "each cost the same");
}

#[tokio::test]
async fn what_changes_counts_at_once_although_the_login_is_remembered() {
    let world = World::with(one_at_a_time(100)).await;
    let acme = world.company("Acme").await;
    let brief =
        world.services.add_company("Brief", None, Some(world.clock.now() + TimeDelta::minutes(3))).await.unwrap();
    let ada = world.user("ada@example.com", "Acme", Role::IpsUser).await;
    let ada_in_both = world.user("ada@example.com", "Brief", Role::ImagePortalUser).await;
    assert_eq!(ada.roles.len(), 1);
    assert_eq!(ada_in_both.roles[&brief.id], Role::ImagePortalUser);

    world.user("ada@example.com", "Acme", Role::IpsCompanyAdmin).await;
    assert_eq!(world.log_in("ada@example.com").await.roles[&acme.id], Role::IpsCompanyAdmin);
    world.pass(3);
    assert!(!world.log_in("ada@example.com").await.roles.contains_key(&brief.id), "the company has expired");
    let left = format!("company_id = {} AND account_id = {}", acme.id, ada.account);
    world.write(&format!("UPDATE membership SET is_active = 0 WHERE {left}")).await;
    assert!(world.log_in("ada@example.com").await.roles.is_empty());

    world.services.set_password("ada@example.com", "another password".into()).await.unwrap();
    let old = world.services.authenticate(credentials("ada@example.com", PASSWORD)).await;
    assert_eq!(refusal(old), NotAuthenticated::InvalidCredentials);
    world.services.authenticate(credentials("ada@example.com", "another password")).await.unwrap();
}

#[tokio::test]
async fn an_empty_server_gets_one_administrator() {
    let world = World::new().await;
    assert!(world.services.is_empty().await.unwrap());
    let root = world.admin().await;
    assert!(root.is_ips_admin);
    assert!(!world.services.is_empty().await.unwrap());
    refused(world.services.add_first_admin(&FirstAdmin::generate("second@example.com").unwrap()).await);
    let made = [password::generate().unwrap(), password::generate().unwrap()];
    assert_ne!(made[0], made[1]);
    assert!(made.iter().all(|password| password.len() == 20));

    let acme = world.company("Acme").await;
    let info = world.call(&root, "getCompanyInfo", json!({"companyName": "Acme"})).await.unwrap();
    let expected = json!({"companyHandle": company_handle(&acme), "name": "Acme", "rootPath": "Acme/"});
    assert_eq!(info["companyInfo"], expected);
    let membership = world.call(&root, "getCompanyMembership", json!({})).await.unwrap();
    let expected = json!({"company": expected, "role": "IpsAdmin", "isActive": true});
    assert_eq!(membership["membershipArray"], json!([expected]));
    assert_eq!(membership["companyArray"], json!([expected["company"]]));
}

#[tokio::test]
async fn companies_come_with_a_root_folder_and_contexts() {
    let world = World::new().await;
    let root = world.admin().await;
    let own = world.services.add_company("Größe & Söhne", Some(CompanyId(47)), None).await.unwrap();
    assert_eq!((own.id, own.root_path.as_str()), (CompanyId(47), "Größe  Söhne"));
    let next = world.company("Next").await;
    assert_eq!(next.id, CompanyId(48));
    assert_eq!(world.services.companies().await.unwrap().len(), 2);
    let folders = world.call(&root, "getFolders", json!({"companyHandle": "47"})).await.unwrap();
    assert_eq!(folders["folderArray"][0]["path"], "Größe  Söhne/");
    let contexts = world.call(&root, "getPublishContexts", json!({"companyHandle": "c|48"})).await.unwrap();
    let kinds: Vec<&str> = contexts["publishContextArray"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["contextType"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["ImageServing", "ImageRendering", "Video", "ServerDirectory"]);
    let active = world.call(&root, "getActivePublishContexts", json!({"companyHandle": "c|48"})).await.unwrap();
    assert_eq!(active["contextArray"], json!(kinds));
    let video = json!({"companyHandle": "c|48", "contextType": "Video"});
    let video = world.call(&root, "getPublishContexts", video).await.unwrap();
    assert_eq!(video["publishContextArray"].as_array().unwrap().len(), 1);
    let wrong = json!({"companyHandle": "c|48", "contextType": "Radio"});
    assert_eq!(invalid(world.call(&root, "getPublishContexts", wrong).await), "contextType");

    let add = |name: &'static str, id: Option<i64>| world.services.add_company(name, id.map(CompanyId), None);
    assert!(refused(add("Another", Some(47)).await).contains("47"));
    assert!(refused(add("Next", None).await).contains("Next"));
    assert!(refused(add("Ne?xt", None).await).contains("root folder"), "two companies would share one folder");
    for (name, id, field) in [
        ("", None, "name"),
        ("%%", None, "name"),
        ("A\nB", None, "name"),
        ("Zero", Some(0), "id"),
        ("Less", Some(-1), "id"),
    ] {
        assert_eq!(invalid(add(name, id).await), field, "{name}");
    }
    let missing = world.call(&root, "getCompanyInfo", json!({})).await;
    assert!(matches!(missing, Err(Error::Missing { field, .. }) if field == "companyHandle"));
}

#[tokio::test]
async fn users_are_added_once_and_join_afterwards() {
    let world = World::new().await;
    world.company("Acme").await;
    world.company("Other").await;
    let user = |email: &str, company: &str, password: Option<&str>| AddUser {
        email: email.to_owned(),
        first_name: String::new(),
        last_name: String::new(),
        company: company.to_owned(),
        role: Role::IpsUser,
        password: password.map(str::to_owned),
        locale: None,
    };
    let services = &world.services;
    let added = services.add_user(user("ada@example.com", "Acme", None)).await.unwrap();
    let UserAdded::New { account, password: Some(made) } = added else { panic!("expected a password, got {added:?}") };
    services.authenticate(credentials("ada@example.com", &made)).await.unwrap();
    let joined = services.add_user(user("Ada@Example.com", "Other", None)).await.unwrap();
    assert_eq!(joined, UserAdded::Joined { account });
    let users = services.users().await.unwrap();
    assert_eq!((users.len(), users[0].memberships.len()), (1, 2));

    assert!(refused(services.add_user(user("ada@example.com", "Acme", Some(PASSWORD))).await).contains("already"));
    assert!(refused(services.add_user(user("bob@example.com", "Nowhere", None)).await).contains("Nowhere"));
    assert_eq!(invalid(services.add_user(user("bob@example.com", "Acme", Some("short"))).await), "password");
    for email in ["", "bob", "@x", "b@", "b|b@example.com", "b b@example.com", "a@b@c", "b@.example", &"b".repeat(300)]
    {
        assert_eq!(invalid(services.add_user(user(email, "Acme", None)).await), "email", "{email}");
    }
    refused(services.set_password("nobody@example.com", PASSWORD.into()).await);
    assert_eq!(invalid(services.set_password("ada@example.com", "short".into()).await), "password");
}

#[tokio::test]
async fn check_login_says_what_a_login_is_worth() {
    let world = World::new().await;
    let acme = world.company("Acme").await;
    world.company("Other").await;
    let ada = world.user("ada@example.com", "Acme", Role::IpsUser).await;
    world.user("eve@example.com", "Other", Role::IpsUser).await;
    let check = async |email: &str, password: &str, company: Option<String>| {
        let param = json!({"email": email, "password": password, "companyHandle": company});
        world.call(&ada, "checkLogin", param).await.unwrap()["status"].clone()
    };
    assert_eq!(check("ada@example.com", PASSWORD, None).await, "ValidLogin");
    assert_eq!(check("ada@example.com", PASSWORD, Some(company_handle(&acme))).await, "ValidLogin");
    assert_eq!(check("eve@example.com", PASSWORD, Some(company_handle(&acme))).await, "InvalidLogin");
    assert_eq!(check("ada@example.com", "wrong", None).await, "InvalidLogin");
    assert_eq!(check("nobody@example.com", PASSWORD, None).await, "InvalidLogin");

    // A user whose companies have all expired still has a password, but it opens nothing.
    let soon = world.clock.now() + TimeDelta::minutes(1);
    let closed = world.services.add_company("Closed", None, Some(soon)).await.unwrap();
    world.user("zoe@example.com", "Closed", Role::IpsUser).await;
    assert_eq!(check("zoe@example.com", PASSWORD, None).await, "ValidLogin");
    world.pass(1);
    assert_eq!(check("zoe@example.com", PASSWORD, None).await, "InvalidLogin");
    let zoe = world.log_in("zoe@example.com").await;
    let own =
        |company: Option<String>| json!({"email": "zoe@example.com", "password": PASSWORD, "companyHandle": company});
    assert_eq!(world.call(&zoe, "checkLogin", own(None)).await.unwrap()["status"], "InvalidLogin");
    let there = denial(world.call(&zoe, "checkLogin", own(Some(company_handle(&closed)))).await);
    assert!(matches!(there, Denied::IllegalCompany { ref why, .. } if why.contains("expired")), "{there:?}");
}

#[tokio::test]
async fn users_see_those_they_share_a_company_with() {
    let world = World::new().await;
    let acme = world.company("Acme").await;
    world.company("Other").await;
    let ada = world.user("ada@example.com", "Acme", Role::IpsUser).await;
    let bob = world.user("bob@example.com", "Acme", Role::ImagePortalUser).await;
    let bob = {
        world.user("bob@example.com", "Other", Role::IpsCompanyAdmin).await;
        bob
    };
    let eve = world.user("eve@example.com", "Other", Role::IpsCompanyAdmin).await;
    let handle = |caller: &Caller| format!("u|{}|{}", caller.account, caller.email);

    let own = world.call(&ada, "getUserInfo", json!({})).await.unwrap();
    let expected = json!({
        "userHandle": handle(&ada), "firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com",
        "isValid": true, "isIpsAdmin": false, "defaultRole": "IpsUser", "role": "IpsUser",
    });
    assert_eq!(own["userInfo"], expected);
    let seen = world.call(&ada, "getUserInfo", json!({"email": "bob@example.com"})).await.unwrap();
    assert_eq!(seen["userInfo"]["role"], "ImagePortalUser", "and not the role elsewhere");
    let of_bob = json!({"userHandle": handle(&bob)});
    let memberships = world.call(&ada, "getCompanyMembership", of_bob).await.unwrap();
    assert_eq!(memberships["membershipArray"].as_array().unwrap().len(), 1);
    assert_eq!(memberships["companyArray"][0]["companyHandle"], company_handle(&acme));

    let nobody = "u|999|nobody@example.com".to_owned();
    for other in [handle(&eve), nobody] {
        let expected = Denied::InvalidRequestUser { field: "userHandle".into() };
        for operation in ["getUserInfo", "getCompanyMembership"] {
            assert_eq!(denial(world.call(&ada, operation, json!({"userHandle": other})).await), expected, "{other}");
        }
    }
    for other in ["eve@example.com", "nobody@example.com"] {
        let expected = Denied::InvalidRequestUserName { field: "email".into() };
        assert_eq!(denial(world.call(&ada, "getUserInfo", json!({"email": other})).await), expected, "{other}");
    }
    assert_eq!(invalid(world.call(&ada, "getUserInfo", json!({"userHandle": "c|6"})).await), "userHandle");
}

#[tokio::test]
async fn settings_stay_as_they_were_set() {
    let world = World::new().await;
    let acme = world.company("Acme").await;
    let ada = world.user("ada@example.com", "Acme", Role::IpsCompanyAdmin).await;
    let handle = company_handle(&acme);
    let get = async || world.call(&ada, "getCompanySettings", json!({"companyHandle": handle})).await.unwrap();
    let settings = get().await;
    assert_eq!(settings["settings"]["overwriteMode"], "OverwriteFullName");
    assert_eq!(settings["settings"]["diskSpaceWarningMin"], 100_000);
    assert_eq!(settings["settings"]["defaultSourceProfile"], json!({}));

    let mut profile = world.image(acme.id, "Profiles", "Press");
    profile.master.asset_type = AssetType::IccProfile;
    let profile = world.add(profile).await;
    let picture = world.asset(acme.id, "", "shoe").await;
    let set = async |fields: Value| {
        let mut param = json!({"companyHandle": handle});
        param.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        world.call(&ada, "setCompanySettings", param).await
    };
    set(json!({"overwriteMode": "OverwriteAnyExt", "emailTrashCleanupWarning": false})).await.unwrap();
    set(json!({"retainPublishState": false, "defaultSourceProfileHandle": format!("a|{profile}")})).await.unwrap();
    set(json!({"applySmartCropsOnPDF": true, "unheardOf": 1})).await.unwrap();
    let settings = get().await["settings"].clone();
    assert_eq!(settings["overwriteMode"], "OverwriteAnyExt");
    assert_eq!(settings["emailTrashCleanupWarning"], false);
    assert_eq!(settings["retainPublishState"], false);
    assert_eq!(settings["applySmartCropsOnPDF"], true);
    assert_eq!(settings["defaultSourceProfile"]["name"], "Press");
    assert_eq!(settings["defaultSourceProfile"]["iccProfileInfo"]["originalPath"], "Acme/Profiles/");
    assert_eq!(settings.get("unheardOf"), None);

    for (fields, field) in [
        (json!({"overwriteMode": "Sometimes"}), "overwriteMode"),
        (json!({"diskSpaceWarningMin": "much"}), "diskSpaceWarningMin"),
        (json!({"defaultSourceProfileHandle": "x"}), "defaultSourceProfileHandle"),
        (json!({"defaultSourceProfileHandle": format!("a|{picture}")}), "defaultSourceProfileHandle"),
    ] {
        assert_eq!(invalid(set(fields).await), field);
    }
    assert!(refused(set(json!({"xmpMappingXsltHandle": "a|999"})).await).starts_with("xmpMappingXsltHandle"));
    set(json!({"defaultSourceProfileHandle": ""})).await.unwrap();
    assert_eq!(get().await["settings"]["defaultSourceProfile"], json!({}));
}

#[tokio::test]
async fn properties_tell_about_the_server() {
    let settings = Settings {
        image_server_url: Some("https://img.example.com/is/image".into()),
        upload_post_max_bytes: 12345,
        ..Default::default()
    };
    let world = World::with(settings).await;
    let root = world.admin().await;
    let get = async |name: &str| world.call(&root, "getProperty", json!({"name": name})).await;
    assert_eq!(get("IpsImageServerUrl").await.unwrap()["value"], "https://img.example.com/is/image");
    assert_eq!(get("UploadPostMaxFileSize").await.unwrap()["value"], "12345");
    assert_eq!(invalid(get("Weather").await), "name");
    let all = world.call(&root, "getSystemProperties", json!({})).await.unwrap();
    assert_eq!(all["propertyArray"].as_array().unwrap().len(), 8);
    assert_eq!(all["propertyArray"][0]["name"], "IpsVersion");
}
