//! The HTTP side: one address, with TLS or without.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsAcceptor;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower_http::timeout::TimeoutLayer;

use super::StartError;

use crate::clock::SharedClock;
use crate::config::{Config, Gzip};
use crate::service::Services;
use crate::service::uploads::{self, Uploads};
use crate::transport::budget::Budgets;
use crate::transport::certificates::{Certificates, Files, Pair};
use crate::transport::connections::{self, LONGEST_HANDSHAKE, RESERVED, Table};
use crate::transport::exports::{self, ExportState};
use crate::transport::front;
use crate::transport::json::{self, Accepting, HttpMetrics, JsonState, LastPage};
use crate::transport::proxies;
use crate::transport::soap::operations::ServiceDispatch;
use crate::transport::soap::{self, GzipPolicy, SoapState};
use crate::transport::upload::{self, UploadState};

/// Files that the daemon opens beside its connections: the database's readers, files of jobs, pipes to child processes.
const OTHER_FILES: u64 = 256;

/// Connections that the kernel keeps until they are taken. With the 128 of the library a burst would lose some, which their
/// clients try again after a second; the system may allow less (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// How long requests under way may take when the daemon stops.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// An address that is ours, nobody answering yet.
pub(super) struct Bound {
    socket: TcpListener,
    address: SocketAddr,
    certificates: Option<Arc<Certificates>>,
}

/// A server that answers.
pub(super) struct Listener {
    address: SocketAddr,
    handle: Handle<SocketAddr>,
    task: JoinHandle<()>,
    accepting: Accepting,
    /// What looks at the files of the certificate, and at the time of connections.
    watches: Vec<JoinHandle<()>>,
    certificates: Option<Arc<Certificates>>,
    soap: watch::Sender<Arc<SoapState>>,
    uploads: Uploads,
}

/// What a listener may be given in place of what it has.
pub(super) struct Replacement {
    pair: Option<Pair>,
    soap: soap::Settings,
    uploads: uploads::Limits,
}

impl Listener {
    pub fn bind(config: &Config, clock: SharedClock) -> Result<Bound, StartError> {
        let address = config.server.listen;
        let refuse = |source| StartError::Listen { address, source };
        let socket = TcpListener::bind(address).map_err(refuse)?;
        rustix::net::listen(&socket, BACKLOG).map_err(|error| refuse(error.into()))?;
        socket.set_nonblocking(true).map_err(refuse)?;
        let address = socket.local_addr().map_err(refuse)?;
        let certificates = pair(config)?.map(|pair| Certificates::new(pair, clock));
        Ok(Bound { socket, address, certificates })
    }

    /// Makes of a configuration what [`Self::follow`] takes. A listener has TLS for good, or never.
    pub fn prepare(&self, config: &Config) -> Result<Replacement, StartError> {
        let pair = pair(config)?.filter(|_| self.certificates.is_some());
        let https = self.certificates.is_some();
        Ok(Replacement {
            pair,
            soap: soap_settings(config, self.address, https),
            uploads: super::parts::upload_limits(config),
        })
    }

    /// From now on these hold, for requests and handshakes that begin.
    pub async fn follow(&self, replacement: Replacement) {
        let Replacement { pair, soap: settings, uploads } = replacement;
        if let (Some(certificates), Some(pair)) = (&self.certificates, pair) {
            certificates.exchange(pair).await;
        }
        self.soap.send_modify(|state| {
            let SoapState { dispatch, settings: _, budgets } = &**state;
            *state = Arc::new(SoapState { dispatch: dispatch.clone(), settings, budgets: budgets.clone() });
        });
        self.uploads.follow(uploads);
    }

    /// Refuses new connections, and waits for the requests under way.
    pub async fn close(self) {
        self.accepting.end();
        self.handle.graceful_shutdown(Some(LAST_REQUESTS));
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the listener ended badly");
        }
        for watch in self.watches {
            watch.abort();
        }
    }
}

impl Bound {
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn serve(self, config: &Config, services: Services, uploads: Uploads) -> Listener {
        let accepting = Accepting::default();
        let handle = Handle::new();
        let Self { socket, address, certificates } = self;
        let settings = soap_settings(config, address, certificates.is_some());
        let dispatch = Arc::new(ServiceDispatch::new(services.clone()));
        let server = &config.server;
        let patience = server.request_timeout.duration();
        let table = Table::new(most_connections(server.max_connections), patience);
        let budgets = Budgets::new(server.max_bytes_before_login.get(), server.max_bytes_after_login.get(), patience);
        let soap = watch::Sender::new(Arc::new(SoapState { dispatch, settings, budgets: budgets.clone() }));
        let administrators = JsonState {
            services: services.clone(),
            limits: super::parts::limits(config, true),
            accepting: accepting.clone(),
            http: HttpMetrics::default(),
            last_page: LastPage::default(),
            connections: table.clone(),
            budgets,
            certificate_expires: certificates.as_ref().map(|certificates| certificates.expires()),
        };
        let app = routes(config, soap.subscribe(), administrators, uploads.clone())
            .into_make_service_with_connect_info::<SocketAddr>();
        let (tls, closing) = (certificates.as_ref().map(|certificates| certificates.served()), handle.clone());
        let mut watches = vec![tokio::spawn(connections::watch(table.clone()))];
        watches.extend(certificates.clone().map(|certificates| tokio::spawn(certificates.watch())));
        let task = tokio::spawn(async move {
            let served = match (axum_server::from_tcp(socket), tls) {
                (Ok(server), None) => connections::bound(server, &table).handle(closing).serve(app).await,
                (Ok(server), Some(tls)) => {
                    let acceptor = RustlsAcceptor::new(tls).handshake_timeout(LONGEST_HANDSHAKE.min(patience));
                    connections::bound(server.acceptor(acceptor), &table).handle(closing).serve(app).await
                }
                (Err(error), _) => Err(error),
            };
            if let Err(error) = served {
                tracing::error!(%error, "the listener failed");
            }
        });
        Listener { address, handle, task, accepting, watches, certificates, soap, uploads }
    }
}

/// As many connections as are wanted, if the system lets a process have so many open files. Who could take the last of
/// them by connecting would keep the daemon from its database and its pictures.
fn most_connections(wanted: u32) -> u32 {
    let needed = u64::from(wanted) + RESERVED as u64 + OTHER_FILES;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|soft| soft < needed) {
        let raised = limit.maximum.map_or(needed, |hard| hard.min(needed));
        let raised = Rlimit { current: Some(raised), maximum: limit.maximum };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit = raised,
            Err(error) => tracing::warn!(%error, "the limit of open files cannot be raised"),
        }
    }
    let room = limit.current.map_or(u64::from(wanted), |files| files.saturating_sub(RESERVED as u64 + OTHER_FILES));
    // Few are better than none; half of so small a limit is for the connections.
    let least = limit.current.map_or(1, |files| (files / 2).max(1));
    let most = u32::try_from(room.max(least)).unwrap_or(u32::MAX).min(wanted);
    if most < wanted {
        let open_files = limit.current.unwrap_or_default();
        tracing::warn!(
            max_connections = wanted,
            open_files,
            most,
            "fewer connections than server.max_connections are taken: the system's limit of open files (LimitNOFILE, ulimit -n) is \
             too low for them"
        );
    }
    most
}

fn soap_settings(config: &Config, address: SocketAddr, https: bool) -> soap::Settings {
    soap::Settings {
        gzip: match config.server.gzip {
            Gzip::Never => GzipPolicy::Never,
            Gzip::Soap => GzipPolicy::Soap,
            Gzip::Accept => GzipPolicy::Accept,
            Gzip::Always => GzipPolicy::Always,
        },
        max_body_bytes: usize::try_from(config.server.max_request_bytes.get()).unwrap_or(usize::MAX),
        patience: config.server.request_timeout.duration(),
        public_url: config.server.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned()),
        port: address.port(),
        https,
        ..soap::Settings::default()
    }
}

fn routes(
    config: &Config,
    soap: watch::Receiver<Arc<SoapState>>,
    administrators: JsonState,
    uploads: Uploads,
) -> Router {
    let (http, budgets) = (administrators.http.clone(), administrators.budgets.clone());
    let downloads = ExportState::new(administrators.services.clone(), config.export_root());
    let router =
        soap::router(soap).merge(json::router(Arc::new(administrators))).merge(exports::router(Arc::new(downloads)));
    // Calls give up by themselves, with a fault; this is for everything else.
    let longest = config.server.request_timeout.duration() + LAST_REQUESTS;
    let router = router.layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, longest));
    // An upload may take as long as its client goes on sending.
    let patience = config.server.request_timeout.duration();
    let router = router.merge(upload::router(Arc::new(UploadState { uploads, patience, budgets })));
    let router = connections::for_administrators(front::with_plain_heads(router));
    let router = proxies::behind(router, config.server.trusted_proxies.clone());
    front::with_plain_paths(json::measured(router, http))
}

/// The certificate and key of the configuration, if it names them.
fn pair(config: &Config) -> Result<Option<Pair>, StartError> {
    Ok(Files::of(&config.server).map(|files| files.load()).transpose()?)
}
