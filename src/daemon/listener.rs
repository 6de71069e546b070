//! The HTTP side: one address, with TLS or without.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum_server::{Handle, Server};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower_http::timeout::TimeoutLayer;

use super::StartError;

use crate::clock::SharedClock;
use crate::config::{Config, Gzip};
use crate::service::Services;
use crate::service::uploads::{self, Uploads};
use crate::transport::certificates::{Certificates, Files, Pair};
use crate::transport::connections::Bounded;
use crate::transport::exports::{self, ExportState};
use crate::transport::front;
use crate::transport::json::{self, Accepting, HttpMetrics, JsonState};
use crate::transport::proxies;
use crate::transport::soap::operations::ServiceDispatch;
use crate::transport::soap::{self, GzipPolicy, SoapState};
use crate::transport::upload::{self, UploadState};

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
    handle: Handle<SocketAddr>,
    task: JoinHandle<()>,
    accepting: Accepting,
    /// Looks at the files of the certificate.
    watch: Option<JoinHandle<()>>,
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
        socket.set_nonblocking(true).map_err(refuse)?;
        let address = socket.local_addr().map_err(refuse)?;
        let certificates = pair(config)?.map(|pair| Certificates::new(pair, clock));
        Ok(Bound { socket, address, certificates })
    }

    /// Makes of a configuration what [`Self::follow`] takes. A listener has TLS for good, or never.
    pub fn prepare(&self, config: &Config) -> Result<Replacement, StartError> {
        let pair = pair(config)?.filter(|_| self.certificates.is_some());
        let https = self.certificates.is_some();
        Ok(Replacement { pair, soap: soap_settings(config, https), uploads: super::parts::upload_limits(config) })
    }

    /// From now on these hold, for requests and handshakes that begin.
    pub async fn follow(&self, replacement: Replacement) {
        let Replacement { pair, soap: settings, uploads } = replacement;
        if let (Some(certificates), Some(pair)) = (&self.certificates, pair) {
            certificates.exchange(pair).await;
        }
        self.soap.send_modify(|state| {
            *state = Arc::new(SoapState { dispatch: state.dispatch.clone(), settings });
        });
        self.uploads.follow(uploads);
    }

    /// Refuses new connections, and waits for the requests under way.
    pub async fn close(self) {
        if let Some(watch) = self.watch {
            watch.abort();
        }
        self.accepting.end();
        self.handle.graceful_shutdown(Some(LAST_REQUESTS));
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the listener ended badly");
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
        let Self { socket, address: _, certificates } = self;
        let settings = soap_settings(config, certificates.is_some());
        let dispatch = Arc::new(ServiceDispatch::new(services.clone()));
        let soap = watch::Sender::new(Arc::new(SoapState { dispatch, settings }));
        let administrators = JsonState {
            services: services.clone(),
            limits: super::parts::limits(config, true),
            data: config.data().to_owned(),
            accepting: accepting.clone(),
            http: HttpMetrics::default(),
            certificate_expires: certificates.as_ref().map(|certificates| certificates.expires()),
        };
        let app = routes(config, soap.subscribe(), administrators, uploads.clone())
            .into_make_service_with_connect_info::<SocketAddr>();
        let (tls, closing) = (certificates.as_ref().map(|certificates| certificates.served()), handle.clone());
        let watch = certificates.clone().map(|certificates| tokio::spawn(certificates.watch()));
        let (patience, most) = (config.server.request_timeout.duration(), config.server.max_connections);
        let task = tokio::spawn(async move {
            let served = match tls {
                None => match axum_server::from_tcp(socket) {
                    Ok(server) => patient(server, patience, most).handle(closing).serve(app).await,
                    Err(error) => Err(error),
                },
                Some(tls) => match axum_server::from_tcp_rustls(socket, tls) {
                    Ok(server) => patient(server, patience, most).handle(closing).serve(app).await,
                    Err(error) => Err(error),
                },
            };
            if let Err(error) = served {
                tracing::error!(%error, "the listener failed");
            }
        });
        Listener { handle, task, accepting, watch, certificates, soap, uploads }
    }
}

/// Closes connections that are too many, or whose request does not come.
fn patient<A>(server: Server<SocketAddr, A>, patience: Duration, most: u32) -> Server<SocketAddr, Bounded<A>> {
    let mut server = server.first_request_timeout(patience).map(|acceptor| Bounded::new(acceptor, most));
    server.http_builder().http1().header_read_timeout(patience);
    server
}

fn soap_settings(config: &Config, https: bool) -> soap::Settings {
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
    let http = administrators.http.clone();
    let downloads = ExportState { services: administrators.services.clone(), root: config.export_root() };
    let router =
        soap::router(soap).merge(json::router(Arc::new(administrators))).merge(exports::router(Arc::new(downloads)));
    // Calls give up by themselves, with a fault; this is for everything else.
    let longest = config.server.request_timeout.duration() + LAST_REQUESTS;
    let router = router.layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, longest));
    // An upload may take as long as its client goes on sending.
    let patience = config.server.request_timeout.duration();
    let router = router.merge(upload::router(Arc::new(UploadState { uploads, patience })));
    let router = proxies::behind(front::with_host(router), config.server.trusted_proxies.clone());
    front::with_plain_paths(json::measured(router, http))
}

/// The certificate and key of the configuration, if it names them.
fn pair(config: &Config) -> Result<Option<Pair>, StartError> {
    Ok(Files::of(&config.server).map(|files| files.load()).transpose()?)
}
