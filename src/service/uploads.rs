//! UploadFile: files posted over HTTP, in one request or in several.
//!
//! The bytes of a post go to the blob store while it is read; when all have arrived, they become the files of a run in one
//! transaction, and only then is the post answered. A post that breaks off leaves nothing but blobs that nothing refers
//! to.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;

use super::access::Operation;
use super::jobs::OPERATORS;
use super::{Caller, Credentials, Denied, Error, Services};
use crate::assets::blobs::{Blob, BlobError, Blobs, Draft};
use crate::model::handle::{self, JobHandle};
use crate::model::id::InstanceId;
use crate::model::invalid::Invalid;
use crate::model::job::JobSpec;
use crate::model::kind::JobKind;
use crate::model::locale::Locale;
use crate::model::name;
use crate::model::state::State;
use crate::model::trigger::Trigger;
use crate::store::companies::Company;
use crate::store::jobs::posts::{Post, PostError, PostedFile, Upload};
use crate::store::jobs::submit::{NewJob, NewRun};

const UPLOAD_FILE: Operation = Operation { name: "UploadFile", roles: OPERATORS };

/// Room for the head of a part, and for what is no file, when the length of a post is looked at.
pub const HEAD_BYTES: u64 = 16 << 10;
const XML_BYTES: u64 = 4 << 20;

/// What the configuration says about posts.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub max_file_bytes: u64,
    /// Of all files in one post together.
    pub max_post_bytes: u64,
    /// Files in one post.
    pub max_files: usize,
    /// How long the next post may take.
    pub client_timeout: TimeDelta,
}

/// Takes posts. Clones share it.
#[derive(Debug, Clone)]
pub struct Uploads {
    services: Services,
    blobs: Blobs,
    limits: Arc<watch::Sender<Limits>>,
}

/// The contract's uploadPostParam.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UploadPostParam {
    pub company_handle: String,
    pub job_name: Option<String>,
    pub job_handle: Option<String>,
    pub locale: Option<String>,
    pub description: Option<String>,
    pub dest_folder: Option<String>,
    pub file_name: Option<String>,
    pub end_job: Option<bool>,
    pub upload_params: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadPostReturn {
    pub job_handle: String,
}

/// A post that may go on: its files are still to come.
#[derive(Debug)]
pub struct Opened {
    company: Company,
    upload: Upload,
    address: String,
    folder: String,
    file_name: Option<String>,
    ends: bool,
    files: Vec<PostedFile>,
}

/// A file that is being received.
#[derive(Debug)]
pub struct Receiving {
    path: String,
    draft: Draft,
    file: tokio::fs::File,
    bytes: u64,
    /// Of the files before it in the post.
    bytes_before: u64,
    limits: Limits,
}

impl Uploads {
    pub fn new(services: Services, blobs: Blobs, limits: Limits) -> Self {
        Self { services, blobs, limits: Arc::new(watch::Sender::new(limits)) }
    }

    fn limits(&self) -> Limits {
        *self.limits.borrow()
    }

    /// From now on these hold, for files that begin.
    pub fn follow(&self, limits: Limits) {
        self.limits.send_replace(limits);
    }

    /// More than this is too much for any post that is taken: its files, the heads of its parts, and its XML. Files in
    /// base64 are longer by a third, and by their line breaks.
    pub fn most_sent(&self) -> u64 {
        let Limits { max_post_bytes, max_files, .. } = self.limits();
        let heads = (max_files as u64).saturating_mul(HEAD_BYTES);
        max_post_bytes.saturating_add(max_post_bytes / 2).saturating_add(heads).saturating_add(XML_BYTES)
    }

    pub async fn authenticate(&self, credentials: Credentials) -> Result<Caller, Error> {
        self.services.authenticate(credentials).await
    }

    /// Checks all that can be checked before the files come.
    pub async fn open(&self, caller: &Caller, address: IpAddr, param: UploadPostParam) -> Result<Opened, Error> {
        if param.company_handle.trim().is_empty() {
            return Err(Error::missing("companyHandle", "it says which company the files are for"));
        }
        let company = self.services.in_company(caller, &UPLOAD_FILE, "companyHandle", param.company_handle.trim());
        let company = company.await?;
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let folder = handle::strip_root(&company.root_path, param.dest_folder.as_deref().unwrap_or_default());
        let folder = name::clean_folder("destFolder", folder)?;
        let file_name = given(&param.file_name);
        if let Some(name) = &file_name {
            path_of(&company.root_path, &folder, "fileName", name, true)?;
        }
        let address = address.to_canonical().to_string();
        let upload = match (given(&param.job_handle), given(&param.job_name)) {
            (Some(text), _) => Upload::Begun(self.begun(&company, &address, &text).await?),
            (None, Some(name)) => Upload::New(Box::new(self.new_job(caller, &company, name, param.clone()).await?)),
            (None, None) => {
                return Err(Error::missing("jobName", "the first post needs it, and later ones the jobHandle"));
            }
        };
        let ends = param.end_job.unwrap_or(false);
        Ok(Opened { company, upload, address, folder, file_name, ends, files: Vec::new() })
    }

    /// The run that a later post adds to. What its uploadParams say is not looked at: a job has one set of options.
    async fn begun(&self, company: &Company, address: &str, text: &str) -> Result<InstanceId, Error> {
        let unknown =
            || Error::from(Invalid::new("jobHandle", format!("must be the handle of an upload, not \"{text}\"")));
        let handle = handle::parse_job("jobHandle", text)?;
        if handle.company() != company.id {
            return Err(Denied::handle_of_another("jobHandle", handle.company(), company.id).into());
        }
        let JobHandle::Run { run_name, instance, .. } = handle else { return Err(unknown()) };
        let found = self.services.store.upload_run(company.id, &run_name, instance).await?.ok_or_else(unknown)?;
        if found.address.as_deref() != Some(address) {
            return Err(refusal(PostError::OtherAddress));
        }
        match found.state {
            State::New | State::WaitingClient => Ok(found.run.id),
            state => Err(refusal(PostError::NotWaiting(state))),
        }
    }

    async fn new_job(
        &self,
        caller: &Caller,
        company: &Company,
        job_name: String,
        param: UploadPostParam,
    ) -> Result<NewJob, Error> {
        name::check_job_name("jobName", &job_name)?;
        let options = param.upload_params.filter(|options| !options.is_null());
        let options =
            options.ok_or_else(|| Error::missing("uploadParams", "the first post says how files are processed"))?;
        let spec = JobSpec::parse(JobKind::UploadPost, &options).map_err(|invalid| in_params(invalid.into()))?;
        self.services.check_order(company, &spec).await.map_err(in_params)?;
        let locale = param.locale.as_deref().filter(|text| !text.trim().is_empty());
        let locale = locale.map(Locale::parse_known).transpose()?;
        let now = self.services.clock.now();
        Ok(NewJob {
            company: company.id,
            name: job_name,
            run: Some(NewRun::at(now, spec.exclusive_key(company.id))),
            spec,
            responsible: caller.account,
            submitter: caller.account,
            locale,
            description: param.description.filter(|text| !text.is_empty()),
            client: caller.client.clone(),
            address: caller.address.clone(),
            created_at: now,
            trigger: Trigger::AtOnce,
            next_fire_at: None,
            parent: None,
        })
    }

    /// Begins a file of the post. `file_name` is what its part says, maybe with a path.
    pub async fn begin_file(&self, opened: &Opened, file_name: Option<&str>) -> Result<Receiving, Error> {
        let most = self.limits().max_files;
        if opened.files.len() >= most {
            return Err(Invalid::new("the post", format!("must hold at most {most} files")).into());
        }
        let root = &opened.company.root_path;
        let path = match (&opened.file_name, file_name) {
            (Some(_), _) if !opened.files.is_empty() => {
                return Err(Invalid::new("fileName", "must not be given with more than one file in the post").into());
            }
            (Some(name), _) => path_of(root, &opened.folder, "fileName", name, true)?,
            (None, Some(name)) if !name.trim().is_empty() => path_of(root, &opened.folder, "filename", name, false)?,
            (None, _) => {
                let rule = "the part of a file, or fileName, says what it is called; all parts beside auth and uploadParams are files";
                return Err(Error::missing("filename", rule));
            }
        };
        let blobs = self.blobs.clone();
        let draft = tokio::task::spawn_blocking(move || blobs.draft()).await;
        let draft = draft.map_err(|error| Error::Internal(format!("a posted file was not begun: {error}")))?;
        let mut draft = draft.map_err(blob_error)?;
        let file = draft
            .file()
            .try_clone()
            .map_err(|error| Error::Internal(format!("cannot write a posted file: {error}")))?;
        let file = tokio::fs::File::from_std(file);
        let bytes_before = opened.files.iter().map(|file| file.bytes).sum();
        Ok(Receiving { path, draft, file, bytes: 0, bytes_before, limits: self.limits() })
    }

    /// Puts a file that has arrived in full into the store.
    pub async fn end_file(&self, opened: &mut Opened, receiving: Receiving) -> Result<(), Error> {
        let Receiving { path, draft, mut file, .. } = receiving;
        file.flush().await.map_err(write_error)?;
        let blobs = self.blobs.clone();
        let kept = tokio::task::spawn_blocking(move || blobs.keep(draft));
        let kept = kept.await.map_err(|error| Error::Internal(format!("a posted file was not kept: {error}")))?;
        let Blob { id, bytes } = kept.map_err(blob_error)?;
        opened.files.push(PostedFile { path, blob: id, bytes });
        Ok(())
    }

    /// Makes the files of the post part of its run, and answers once that is on the disk.
    pub async fn close(&self, opened: Opened) -> Result<UploadPostReturn, Error> {
        let Opened { company, upload, address, ends, files, .. } = opened;
        if files.is_empty() && !ends {
            return Err(Error::missing("a file", "a post brings at least one, unless it ends the job"));
        }
        let now = self.services.clock.now();
        let next_until = (!ends).then(|| now + self.limits().client_timeout);
        let post = Post { upload, company: company.id, address, files, next_until, at: now };
        let run = self.services.store.post(post).await.map_err(refusal)?;
        Ok(UploadPostReturn { job_handle: handle::run(company.id, &run.name, run.id) })
    }
}

impl Receiving {
    /// More has come than a file or a post may have.
    pub const fn is_too_large(&self) -> bool {
        let Limits { max_file_bytes, max_post_bytes, .. } = self.limits;
        self.bytes > max_file_bytes || self.bytes_before + self.bytes > max_post_bytes
    }

    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.bytes += bytes.len() as u64;
        let Limits { max_file_bytes, max_post_bytes, .. } = self.limits;
        if self.bytes > max_file_bytes {
            let rule = format!("must have at most {max_file_bytes} bytes (see UploadPostMaxFileSize)");
            return Err(Invalid::new(format!("the file \"{}\"", self.path), rule).into());
        }
        if self.bytes_before + self.bytes > max_post_bytes {
            let rule = format!("must bring at most {max_post_bytes} bytes of files; \"{}\" is too much", self.path);
            return Err(Invalid::new("the post", rule).into());
        }
        self.file.write_all(bytes).await.map_err(write_error)
    }
}

/// What is wrong with the order, in the words of who posts files: the element is called uploadParams there.
fn in_params(error: Error) -> Error {
    let renamed = |text: String| text.replacen(JobKind::UploadPost.element(), "uploadParams", 1);
    match error {
        Error::Invalid(invalid) => Error::Invalid(Invalid { field: renamed(invalid.field), ..invalid }),
        Error::Missing { field, rule } => Error::Missing { field: renamed(field), rule },
        Error::Refused(why) => Error::Refused(renamed(why)),
        other => other,
    }
}

/// Where a file goes, below the company root. A name that begins with the company root says where it goes by itself;
/// `prefixed` ones go below destFolder all the same.
fn path_of(root: &str, folder: &str, field: &str, given: &str, prefixed: bool) -> Result<String, Error> {
    let given = given.replace('\\', "/");
    // What some browsers send is the path on the disk of the sender.
    let given = match given.split_once(":/") {
        Some((drive, _)) if drive.len() == 1 => given.rsplit_once('/').map_or("", |(_, name)| name),
        _ => &given,
    };
    let path: Vec<&str> = given.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if path.contains(&"..") {
        let rule = "must not lead out of the company's folder: \"..\" is not allowed";
        return Err(Invalid::trespass(field, rule).into());
    }
    let (below, has_root) = match path.split_first() {
        Some((first, rest)) if *first == root && !rest.is_empty() => (rest.join("/"), true),
        _ => (path.join("/"), false),
    };
    if below.is_empty() {
        return Err(Invalid::new(field, "must name a file").into());
    }
    if folder.is_empty() || (has_root && !prefixed) { Ok(below) } else { Ok(format!("{folder}/{below}")) }
}

fn refusal(error: PostError) -> Error {
    match error {
        PostError::Store(error) => error.into(),
        PostError::OtherAddress => {
            Error::Refused("jobHandle: all posts of a job come from one address, and this one is another".to_owned())
        }
        PostError::NoSuchRun | PostError::NotWaiting(_) => Error::Refused(format!("jobHandle: {error}")),
    }
}

fn write_error(error: std::io::Error) -> Error {
    if matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) {
        return Error::Refused("the disk of the server is full; nothing of this post was taken".to_owned());
    }
    Error::Internal(format!("a posted file cannot be written: {error}"))
}

fn blob_error(error: BlobError) -> Error {
    match error {
        BlobError::Full { .. } => {
            Error::Refused("the disk of the server is full; nothing of this post was taken".to_owned())
        }
        error => Error::Internal(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_where_its_name_and_the_folder_say() {
        let path = |folder: &str, given: &str, prefixed: bool| path_of("Acme", folder, "f", given, prefixed);
        for (folder, given, prefixed, expected) in [
            ("", "shoe.jpg", false, "shoe.jpg"),
            ("In", "shoe.jpg", false, "In/shoe.jpg"),
            ("In", "A/shoe.jpg", true, "In/A/shoe.jpg"),
            ("", "Acme//A/shoe.jpg", false, "A/shoe.jpg"),
            ("In", "Acme//A/shoe.jpg", false, "A/shoe.jpg"),
            ("In", "Acme/A/shoe.jpg", true, "In/A/shoe.jpg"),
            ("In", "C:\\Users\\ada\\shoe.jpg", false, "In/shoe.jpg"),
            ("", "Acme", false, "Acme"),
        ] {
            assert_eq!(path(folder, given, prefixed).unwrap(), expected, "{folder} {given}");
        }
        assert!(matches!(path("", "../x.jpg", false), Err(Error::Denied(Denied::IllegalParameterValue(_)))));
        assert!(matches!(path("", "//", false), Err(Error::Invalid(_))));
    }
}
