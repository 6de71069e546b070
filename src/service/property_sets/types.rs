//! createPropertySetType, getPropertySetTypes, getPropertySetType, deletePropertySetType.

use serde::{Deserialize, Serialize};

use super::refusal;
use crate::model::handle;
use crate::model::id::CompanyId;
use crate::model::property_set::{BuiltIn, check_name};
use crate::service::access::{ADMINISTRATORS, EVERYBODY, Operation};
use crate::service::asset_change::EmptyReturn;
use crate::service::{Caller, Denied, Error, Services, parse};
use crate::store::property_sets::{NewPropertySetType, PropertySetError, PropertySetType};

const CREATE_PROPERTY_SET_TYPE: Operation = Operation { name: "createPropertySetType", roles: ADMINISTRATORS };
const GET_PROPERTY_SET_TYPES: Operation = Operation { name: "getPropertySetTypes", roles: EVERYBODY };
const GET_PROPERTY_SET_TYPE: Operation = Operation { name: "getPropertySetType", roles: EVERYBODY };
const DELETE_PROPERTY_SET_TYPE: Operation = Operation { name: "deletePropertySetType", roles: ADMINISTRATORS };

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreatePropertySetTypeParam {
    /// None: a global type, which only an administrator of the server makes.
    pub company_handle: Option<String>,
    pub name: String,
    pub property_type: String,
    pub allow_multiple: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreatePropertySetTypeReturn {
    pub type_handle: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetPropertySetTypesParam {
    /// None: the global ones only.
    pub company_handle: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetPropertySetTypesReturn {
    pub type_array: Vec<PropertySetTypeInfo>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetPropertySetTypeParam {
    pub company_handle: Option<String>,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetPropertySetTypeReturn {
    #[serde(rename = "type")]
    pub set_type: PropertySetTypeInfo,
}

/// The contract's type PropertySetType.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PropertySetTypeInfo {
    pub type_handle: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_handle: Option<String>,
    pub name: String,
    pub property_type: String,
    pub allow_multiple: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletePropertySetTypeParam {
    pub type_handle: String,
}

impl Services {
    pub async fn create_property_set_type(
        &self,
        caller: &Caller,
        param: CreatePropertySetTypeParam,
    ) -> Result<CreatePropertySetTypeReturn, Error> {
        let operation = &CREATE_PROPERTY_SET_TYPE;
        let company = self.home(caller, operation, param.company_handle.as_deref()).await?;
        if company.is_none() && !caller.is_ips_admin {
            return Err(Error::missing("companyHandle", "only an IpsAdmin makes types for all companies"));
        }
        let name = param.name.trim().to_owned();
        check_name("name", &name)?;
        if BuiltIn::ALL.iter().any(|built_in| built_in.as_str() == name) {
            return Err(refusal(PropertySetError::TypeNameTaken(name), "name", &param.name));
        }
        let new = NewPropertySetType {
            company,
            name,
            property_type: parse("propertyType", &param.property_type)?,
            allow_multiple: param.allow_multiple,
            at: self.clock.now(),
        };
        let added = self.store.add_property_set_type(new).await;
        let id = added.map_err(|error| refusal(error, "name", &param.name))?;
        Ok(CreatePropertySetTypeReturn { type_handle: handle::property_set_type(id) })
    }

    /// A company has its own types and the global ones.
    pub async fn get_property_set_types(
        &self,
        caller: &Caller,
        param: GetPropertySetTypesParam,
    ) -> Result<GetPropertySetTypesReturn, Error> {
        let company = self.home(caller, &GET_PROPERTY_SET_TYPES, param.company_handle.as_deref()).await?;
        let types = self.store.property_set_types(company).await?;
        Ok(GetPropertySetTypesReturn { type_array: types.into_iter().map(PropertySetTypeInfo::of).collect() })
    }

    /// Of two of the same name, the company's own. Where no company is named, the global one; or else that of a company that
    /// the caller belongs to.
    pub async fn get_property_set_type(
        &self,
        caller: &Caller,
        param: GetPropertySetTypeParam,
    ) -> Result<GetPropertySetTypeReturn, Error> {
        let operation = &GET_PROPERTY_SET_TYPE;
        let home = self.home(caller, operation, param.company_handle.as_deref()).await?;
        let is_visible = |known: &PropertySetType| match (known.company, home) {
            (None, _) => true,
            (Some(company), Some(home)) => company == home,
            (Some(company), None) => caller.role_in(company).is_some_and(|role| operation.roles.contains(&role)),
        };
        let mut named = self.store.property_set_types_named(param.name.trim()).await?;
        named.retain(is_visible);
        // Global ones have no company, which comes before any.
        named.sort_by_key(|known| known.company);
        let found = if home.is_some() { named.pop() } else { first_if_clear(named)? };
        let found = found.ok_or_else(|| refusal(PropertySetError::Gone, "name", &param.name))?;
        Ok(GetPropertySetTypeReturn { set_type: PropertySetTypeInfo::of(found) })
    }

    /// The sets of the type go with it.
    pub async fn delete_property_set_type(
        &self,
        caller: &Caller,
        param: DeletePropertySetTypeParam,
    ) -> Result<EmptyReturn, Error> {
        let known = self.known_type(caller, &DELETE_PROPERTY_SET_TYPE, &param.type_handle).await?;
        let refuse = |what: &str| Denied::MissingPermission { field: "typeHandle".to_owned(), what: what.to_owned() };
        if known.built_in.is_some() {
            return Err(refuse("delete a type that is built in").into());
        }
        if known.company.is_none() && !caller.is_ips_admin {
            return Err(refuse("delete a type of all companies; only an IpsAdmin does that").into());
        }
        let removed = self.store.remove_property_set_type(known.id).await;
        removed.map_err(|error| refusal(error, "typeHandle", &param.type_handle))?;
        Ok(EmptyReturn {})
    }

    /// The type that a handle names, if the caller may do the operation where it belongs.
    pub(super) async fn known_type(
        &self,
        caller: &Caller,
        operation: &Operation,
        text: &str,
    ) -> Result<PropertySetType, Error> {
        let unknown = || refusal(PropertySetError::Gone, "typeHandle", text);
        let id = handle::parse_property_set_type("typeHandle", text)?;
        let known = self.store.property_set_type(id).await?.ok_or_else(unknown)?;
        let company = known.company.map(handle::company);
        self.home(caller, operation, company.as_deref()).await.map_err(|error| match error {
            Error::Denied(Denied::InvalidCompany { .. }) => unknown(),
            error => error,
        })?;
        Ok(known)
    }

    /// The company that is named, or none for what belongs to all.
    async fn home(
        &self,
        caller: &Caller,
        operation: &Operation,
        company: Option<&str>,
    ) -> Result<Option<CompanyId>, Error> {
        match company.filter(|text| !text.is_empty()) {
            Some(text) => Ok(Some(self.in_company(caller, operation, "companyHandle", text).await?.id)),
            None => {
                caller.may(operation)?;
                Ok(None)
            }
        }
    }
}

/// The first of these, unless another company has one as well.
fn first_if_clear(named: Vec<PropertySetType>) -> Result<Option<PropertySetType>, Error> {
    match &named[..] {
        [first, _, ..] if first.company.is_some() => {
            let homes: Vec<String> = named.iter().filter_map(|known| known.company.map(handle::company)).collect();
            let rule = format!("says which is meant: there is one of this name in each of {}", homes.join(", "));
            Err(Error::missing("companyHandle", rule))
        }
        _ => Ok(named.into_iter().next()),
    }
}

impl PropertySetTypeInfo {
    fn of(known: PropertySetType) -> Self {
        Self {
            type_handle: handle::property_set_type(known.id),
            company_handle: known.company.map(handle::company),
            name: known.name,
            property_type: known.property_type.to_string(),
            allow_multiple: known.allow_multiple,
        }
    }
}
