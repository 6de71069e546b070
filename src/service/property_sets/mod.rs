//! createPropertySet, getPropertySets, updatePropertySet, deletePropertySet; the types are in `types.rs`.
//!
//! A set belongs to a company, to a user, or to a user in a company, as its type says. Users see and change what is
//! theirs; what is another user's is for the administrators of a company that both are in.

mod types;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use types::{
    CreatePropertySetTypeParam, CreatePropertySetTypeReturn, DeletePropertySetTypeParam, GetPropertySetTypeParam,
    GetPropertySetTypeReturn, GetPropertySetTypesParam, GetPropertySetTypesReturn, PropertySetTypeInfo,
};

use super::access::{ADMINISTRATORS, EVERYBODY, Operation};
use super::asset_change::EmptyReturn;
use super::{Caller, Denied, Error, Services};
use crate::model::handle;
use crate::model::id::{AccountId, CompanyId};
use crate::model::invalid::Invalid;
use crate::model::property_set::{Properties, Property, PropertyType};
use crate::store::property_sets::{Owner, PropertySet, PropertySetError, PropertySetType};

const CREATE_PROPERTY_SET: Operation = Operation { name: "createPropertySet", roles: ADMINISTRATORS };
const GET_PROPERTY_SETS: Operation = Operation { name: "getPropertySets", roles: EVERYBODY };
const UPDATE_PROPERTY_SET: Operation = Operation { name: "updatePropertySet", roles: EVERYBODY };
const DELETE_PROPERTY_SET: Operation = Operation { name: "deletePropertySet", roles: ADMINISTRATORS };

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreatePropertySetParam {
    pub type_handle: String,
    pub primary_owner_handle: String,
    pub secondary_owner_handle: Option<String>,
    #[serde(default)]
    pub property_array: Vec<Property>,
    #[serde(default)]
    pub permission_array: Vec<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreatePropertySetReturn {
    pub set_handle: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetPropertySetsParam {
    pub type_handle: String,
    pub primary_owner_handle: String,
    pub secondary_owner_handle: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetPropertySetsReturn {
    pub set_array: Vec<PropertySetInfo>,
}

/// The contract's type PropertySet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PropertySetInfo {
    pub set_handle: String,
    pub type_handle: String,
    pub property_array: Vec<Property>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdatePropertySetParam {
    pub set_handle: String,
    /// Properties that are not named are removed; otherwise they stay.
    pub replace_properties: Option<bool>,
    #[serde(default)]
    pub property_array: Vec<Property>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletePropertySetParam {
    pub set_handle: String,
}

impl Services {
    pub async fn create_property_set(
        &self,
        caller: &Caller,
        param: CreatePropertySetParam,
    ) -> Result<CreatePropertySetReturn, Error> {
        let operation = &CREATE_PROPERTY_SET;
        let set_type = self.known_type(caller, operation, &param.type_handle).await?;
        let secondary = param.secondary_owner_handle.as_deref();
        let owner = self.owner(caller, operation, &set_type, &param.primary_owner_handle, secondary).await?;
        if !param.permission_array.is_empty() {
            let rule = "cannot be kept: there are no groups here; whoever belongs to the owner sees the set";
            return Err(Invalid::new("permissionArray", rule).into());
        }
        let properties = Properties::new(param.property_array)?;
        if let Some(built_in) = set_type.built_in {
            built_in.check(&properties).map_err(of_values)?;
        }
        let added = self.store.add_property_set(set_type.id, owner, properties, self.clock.now()).await;
        let id = added.map_err(|error| refusal(error, "typeHandle", &param.type_handle))?;
        Ok(CreatePropertySetReturn { set_handle: handle::property_set(id) })
    }

    pub async fn get_property_sets(
        &self,
        caller: &Caller,
        param: GetPropertySetsParam,
    ) -> Result<GetPropertySetsReturn, Error> {
        let operation = &GET_PROPERTY_SETS;
        let set_type = self.known_type(caller, operation, &param.type_handle).await?;
        let secondary = param.secondary_owner_handle.as_deref();
        let owner = self.owner(caller, operation, &set_type, &param.primary_owner_handle, secondary).await?;
        let sets = self.store.property_sets(set_type.id, owner).await?;
        Ok(GetPropertySetsReturn { set_array: sets.into_iter().map(PropertySetInfo::of).collect() })
    }

    pub async fn update_property_set(
        &self,
        caller: &Caller,
        param: UpdatePropertySetParam,
    ) -> Result<EmptyReturn, Error> {
        let set = self.known_set(caller, &UPDATE_PROPERTY_SET, &param.set_handle).await?;
        let changes = Properties::new(param.property_array)?;
        let replace = param.replace_properties.unwrap_or(false);
        let changed = self.store.change_property_set(set.id, changes, replace, self.clock.now()).await;
        changed.map_err(|error| refusal(error, "setHandle", &param.set_handle))?;
        Ok(EmptyReturn {})
    }

    pub async fn delete_property_set(
        &self,
        caller: &Caller,
        param: DeletePropertySetParam,
    ) -> Result<EmptyReturn, Error> {
        let set = self.known_set(caller, &DELETE_PROPERTY_SET, &param.set_handle).await?;
        let removed = self.store.remove_property_set(set.id).await;
        removed.map_err(|error| refusal(error, "setHandle", &param.set_handle))?;
        Ok(EmptyReturn {})
    }

    /// Whose sets are meant, if the caller may do the operation with them.
    async fn owner(
        &self,
        caller: &Caller,
        operation: &Operation,
        set_type: &PropertySetType,
        primary: &str,
        secondary: Option<&str>,
    ) -> Result<Owner, Error> {
        let secondary = secondary.filter(|text| !text.is_empty());
        match (set_type.property_type, secondary) {
            (PropertyType::UserCompanyProperty, None) => {
                Err(Error::missing("secondaryOwnerHandle", "it says in which company the user's properties are"))
            }
            (PropertyType::CompanyProperty | PropertyType::UserProperty, Some(_)) => {
                let rule = format!("must be empty: sets of a {} have one owner", set_type.property_type);
                Err(Invalid::new("secondaryOwnerHandle", rule).into())
            }
            (PropertyType::CompanyProperty, None) => {
                let company = self.in_any_company(caller, operation, "primaryOwnerHandle", primary).await?;
                check_home(set_type, company.id, "primaryOwnerHandle")?;
                Ok(Owner { company: Some(company.id), account: None })
            }
            (PropertyType::UserProperty, None) => {
                caller.may(operation)?;
                let account = handle::parse_account("primaryOwnerHandle", primary)?;
                self.check_person(caller, account, set_type.company).await?;
                Ok(Owner { company: None, account: Some(account) })
            }
            (PropertyType::UserCompanyProperty, Some(secondary)) => {
                let account = handle::parse_account("primaryOwnerHandle", primary)?;
                let company = self.in_any_company(caller, operation, "secondaryOwnerHandle", secondary).await?;
                check_home(set_type, company.id, "secondaryOwnerHandle")?;
                self.check_person(caller, account, Some(company.id)).await?;
                Ok(Owner { company: Some(company.id), account: Some(account) })
            }
        }
    }

    /// The user must be the caller, or one of a company (this one, if one is given) that the caller administers.
    async fn check_person(&self, caller: &Caller, account: AccountId, company: Option<CompanyId>) -> Result<(), Error> {
        let unknown = || Denied::InvalidRequestUser { field: "primaryOwnerHandle".to_owned() };
        if account == caller.account && (caller.is_ips_admin || company.is_none_or(|id| caller.role_in(id).is_some())) {
            return Ok(());
        }
        self.store.account(account).await?.ok_or_else(unknown)?;
        let memberships = self.store.memberships(account, self.clock.now()).await?;
        let companies = memberships.iter().map(|membership| membership.company.id);
        let shared: Vec<_> = companies
            .filter(|id| company.is_none_or(|wanted| wanted == *id))
            .filter_map(|id| caller.role_in(id))
            .collect();
        if shared.is_empty() {
            Err(unknown().into())
        } else if shared.iter().any(|role| ADMINISTRATORS.contains(role)) {
            Ok(())
        } else {
            Err(Denied::NoImpersonationPermission.into())
        }
    }

    /// The set that a handle names, if the caller may do the operation with it. What belongs to others is as if it were
    /// not there.
    async fn known_set(&self, caller: &Caller, operation: &Operation, text: &str) -> Result<PropertySet, Error> {
        let unknown = || refusal(PropertySetError::Gone, "setHandle", text);
        let id = handle::parse_property_set("setHandle", text)?;
        let set = self.store.property_set(id).await?.ok_or_else(unknown)?;
        match set.owner.company {
            Some(company) => {
                let company = handle::company(company);
                self.in_company(caller, operation, "setHandle", &company).await.map_err(|error| match error {
                    Error::Denied(Denied::InvalidCompany { .. }) => unknown(),
                    error => error,
                })?;
            }
            None => caller.may(operation)?,
        }
        if let Some(account) = set.owner.account {
            let allowed = self.check_person(caller, account, set.owner.company).await;
            allowed.map_err(|error| if matches!(error, Error::Denied(_)) { unknown() } else { error })?;
        }
        Ok(set)
    }
}

/// The type of a company is for that company.
fn check_home(set_type: &PropertySetType, company: CompanyId, field: &str) -> Result<(), Denied> {
    if set_type.company.is_none_or(|home| home == company) {
        Ok(())
    } else {
        let why = format!("the property set type {} is of another company", set_type.name);
        Err(Denied::IllegalCompany { field: field.to_owned(), why })
    }
}

impl PropertySetInfo {
    fn of(set: PropertySet) -> Self {
        Self {
            set_handle: handle::property_set(set.id),
            type_handle: handle::property_set_type(set.type_id),
            property_array: set.properties.into_vec(),
        }
    }
}

/// What is wrong with a value, seen from the request.
fn of_values(invalid: Invalid) -> Invalid {
    if invalid.field.starts_with("propertyArray") { invalid } else { invalid.within("propertyArray") }
}

fn refusal(error: PropertySetError, field: &str, text: &str) -> Error {
    let shown: String = text.chars().take(80).collect();
    match error {
        PropertySetError::Store(error) => error.into(),
        PropertySetError::Invalid(invalid) => of_values(invalid).into(),
        PropertySetError::NameTaken(_) => Error::Refused(format!("propertyArray/name: {error}")),
        PropertySetError::TypeNameTaken(_) => Error::Refused(format!("name: {error}")),
        PropertySetError::TooMany => Error::Refused(format!("{field}: {error}")),
        PropertySetError::Gone => Error::Refused(format!("{field}: there is nothing that \"{shown}\" names")),
    }
}
