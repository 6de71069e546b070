//! Roles of a user in a company.

use super::constants;

constants! {
    /// UserRoles constants.
    pub enum Role("user role") {
        IpsAdmin,
        IpsCompanyAdmin,
        IpsUser,
        WebServiceUser,
        TrialSiteAdmin,
        TrialSiteUser,
        ImagePortalAdmin,
        ImagePortalUser,
        ImagePortalContrib,
        ImagePortalContribUser,
    }
}
