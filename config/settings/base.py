"""Every setting of the product. dev, test and prod only differ from this file."""

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import environ
import structlog
from csp.constants import NONE, SELF
from django.urls import reverse_lazy

from config.env import read_environment
from config.shell import UNFOLD  # noqa: F401  the look and the menu of the shell

BASE_DIR = Path(__file__).resolve().parents[2]
ENVIRONMENT = read_environment()
VAR_DIR = ENVIRONMENT.var_dir

# --- Django -----------------------------------------------------------------------------------------------------------
DEBUG = False
SECRET_KEY = ENVIRONMENT.secret_key
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)
CSRF_TRUSTED_ORIGINS = list(ENVIRONMENT.csrf_trusted_origins)
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"

INSTALLED_APPS = [
    "config.apps.BackflushConfig",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "unfold.contrib.simple_history",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_celery_beat",
    "django_filters",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "import_export",
    "rest_framework",
    "rest_framework.authtoken",
    "simple_history",
    "inventory.apps.InventoryConfig",
    "production.apps.ProductionConfig",
    "channels_sync.apps.ChannelsSyncConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.ContentSecurity",
    "config.middleware.Sessions",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "config.middleware.Users",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "config.middleware.RequestLog",
    "config.middleware.Messages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "axes.middleware.AxesMiddleware",
    "config.middleware.Unstorable",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# --- Database ---------------------------------------------------------------------------------------------------------


def database(url: str) -> dict[str, Any]:
    """One connection to PostgreSQL: prepared statements bound by the server, and an upper bound on waiting for a lock."""
    settings: dict[str, Any] = environ.Env.db_url_config(url)
    settings["ENGINE"] = "config.postgres"
    settings["CONN_MAX_AGE"] = 60
    settings["CONN_HEALTH_CHECKS"] = True
    settings["ATOMIC_REQUESTS"] = False
    settings["OPTIONS"] = {
        **settings.get("OPTIONS", {}),
        "server_side_binding": True,
        "prepare_threshold": 2,
        "options": "-c lock_timeout=5s -c idle_in_transaction_session_timeout=60s",
        "application_name": "backflush",
    }
    return settings


DATABASE_OWNER_URL = ENVIRONMENT.database_owner_url or ENVIRONMENT.database_url
APPLICATION_ROLE: str = database(ENVIRONMENT.database_url).get("USER") or ""
"""The role of DATABASE_URL, whoever runs the present command."""
DATABASES = {
    "default": database(DATABASE_OWNER_URL if "BACKFLUSH_AS_OWNER" in os.environ else ENVIRONMENT.database_url)
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- People -----------------------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = reverse_lazy("admin:login")
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False

# --- Language, time, money --------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
TIME_ZONE = ENVIRONMENT.time_zone
USE_I18N = True
USE_TZ = True
USE_THOUSAND_SEPARATOR = False
BASE_CURRENCY = ENVIRONMENT.base_currency
CURRENCY_STEP = Decimal("0.01")
TRANSIT_DAYS_MAX = 7
"""Goods that are longer on the road between our places without a day they are expected are pointed out."""
TRANSIT_LATE_DAYS_MAX = 2
"""Goods on the road that are so many days past their expected day are not pointed out yet; later ones are."""
QUARANTINE_DAYS_MAX = 14
"""Goods that are longer in quarantine are put into the queue of exceptions."""
SUPPLIER_STOCK_FRESH_HOURS = 48  # what a supplier says to have counts as fresh for so long
FIELD_ENCRYPTION_KEYS = list(ENVIRONMENT.field_encryption_keys)

# --- Files ------------------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = VAR_DIR / "static"
MEDIA_ROOT = VAR_DIR / "media"
MEDIA_URL = "/media/"
INSPECTION_FILE_BYTES_MAX = 12_000_000
"""The largest photo or file of an inspection that is kept."""
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000
IMPORT_EXPORT_USE_TRANSACTIONS = True

# --- Content security: everything from here; Alpine, which the shell uses, evaluates its attributes -----------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, "'unsafe-eval'", "'unsafe-inline'"],
        "style-src": [SELF, "'unsafe-inline'"],
        "img-src": [SELF, "data:"],
        "font-src": [SELF, "data:"],
        "connect-src": [SELF],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
        "base-uri": [SELF],
        "object-src": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"

# --- REST -------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "config.api.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["config.api.ModelOrOperationPermissions"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "config.api.StableCursorPagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["config.throttling.RequestsPerMinute"],
    "EXCEPTION_HANDLER": "config.api.exception_handler",
    "COERCE_DECIMAL_TO_STRING": True,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
API_REQUESTS_PER_MINUTE = ENVIRONMENT.api_requests_per_minute
API_COUNTER_URL = ENVIRONMENT.redis_url or "redis://127.0.0.1:6379/0"
"""Where all web processes count the requests of each user; nothing that must last is kept there."""
SPECTACULAR_SETTINGS = {
    "TITLE": "Backflush API",
    "DESCRIPTION": "Stock, BOMs, completions, work orders and listings. Quantities and money are strings of exact decimals.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "ItemKind": "inventory.models.ItemKind",
        "DriftToldOrLeft": "channels_sync.api.drift_settings.TOLD_OR_LEFT",
        "DriftOrOverwritten": "channels_sync.api.drift_settings.OR_OVERWRITTEN",
        "DriftOrAdopted": "channels_sync.api.drift_settings.OR_ADOPTED",
        "OversellVerdict": "channels_sync.api.looking.GAPS",
        "PublishStage": "channels_sync.api.looking.STAGES",
        "GenealogyDirection": "inventory.api.lots.DIRECTIONS",
        "BatchMode": "production.api.completion_batches.MODES",
        "Tracking": "inventory.models.Tracking",
        "CostMethod": "inventory.models.CostMethod",
        "SupplyPolicy": "inventory.models.SupplyPolicy",
        "LocationKind": "inventory.models.LocationKind",
        "PostingKind": "inventory.models.PostingKind",
        "StockStatus": "inventory.models.StockStatus",
        "TransferState": "inventory.models.TransferState",
        "ArrivalStatus": "inventory.api.transit.ARRIVED_AS",
        "CountSheetState": "inventory.models.CountSheetState",
        "CountLineState": "inventory.models.CountLineState",
        "CountCause": "inventory.models.CountCause",
        "PurchaseOrderState": "inventory.models.PurchaseOrderState",
        "LandedCostKind": "inventory.models.LandedCostKind",
        "LandedBasis": "inventory.models.LandedBasis",
        "ChargeKind": "inventory.api.purchasing.LANDED_KINDS",
        "SpreadBasis": "inventory.api.purchasing.LANDED_BASES",
        "ExceptionState": "inventory.models.ExceptionState",
        "ExceptionStep": "inventory.models.ExceptionStep",
        "Severity": "inventory.models.Severity",
        "Disposition": "production.models.Disposition",
        "ReworkState": "production.models.ReworkState",
        "ReworkedFrom": "production.api.rework.STATUSES",
        "InspectionOf": "production.models.InspectionOf",
        "CheckKind": "production.models.CheckKind",
        "HeldSource": "production.api.quality.SOURCES",
        "IssueMethod": "production.models.IssueMethod",
        "SimulationState": "channels_sync.models.SimulationState",
        "SimulationStart": "channels_sync.simulation.question.STARTS",
        "SimulationSupply": "channels_sync.api.simulations.SUPPLIES",
        "DeviationPolicy": "production.models.DeviationPolicy",
        "LineChangeKind": "production.reads.bom_diff.Change",
        "BomState": "production.models.BomState",
        "VarianceCause": "production.models.VarianceCause",
        "OperationKind": "production.models.OperationKind",
        "WorkOrderState": "production.models.WorkOrderState",
        "ConsumptionBasis": "production.models.ConsumptionBasis",
        "DemandMode": "production.models.DemandMode",
        "ClearingKind": "production.api.ordering.CLEARING_KINDS",
        "ChannelMode": "channels_sync.models.ChannelMode",
        "WideVerdict": "channels_sync.models.WideVerdict",
        "SendingState": "channels_sync.api.sending.STATES",
        "WindowKind": "channels_sync.models.WindowKind",
        "WindowScope": "channels_sync.models.WindowScope",
        "PublicationState": "channels_sync.models.PublicationState",
        "HoldState": "channels_sync.models.HoldState",
        "LearnedVerdict": "production.api.learning.VERDICTS",
        "PolicyBasis": "channels_sync.allocation.vocabulary.BASES",
        "Sharing": "channels_sync.allocation.vocabulary.SHARINGS",
        "DifferenceResponse": "channels_sync.api.differences.RESPONSES",
        "DifferenceCause": "channels_sync.models.DifferenceCause",
        "DifferenceDone": "channels_sync.models.differences.Done",
        "Building": "channels_sync.allocation.vocabulary.BUILDINGS",
        "OutputKind": "production.models.OutputKind",
        "BuildableLevels": "production.api.buildable.Levels",
    },
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
}

# --- Background work --------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = ENVIRONMENT.redis_url
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 600, "socket_timeout": 2, "socket_connect_timeout": 2}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
WAKE_ON_STOCK_CHANGE = "channels_sync.tasks.absorb_stock_changes"
"""Name of the task that is told that stock changed; empty for none. Lower apps know it only by this name."""

# --- Logs -------------------------------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": ENVIRONMENT.log_level},
    "loggers": {
        "axes": {"level": "WARNING"},
        "django_structlog": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
    },
}


def _leave_the_traceback_to_logging(_logger: object, _method: str, event: Any) -> Any:
    """structlog's own traceback lists local variables, which may be secrets, and takes seconds for each error."""
    event.pop("exc_info", None)
    return event


structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.contextvars.merge_contextvars,
        _leave_the_traceback_to_logging,
        structlog.processors.LogfmtRenderer(key_order=["event"], drop_missing=True),
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)

SANDBOX_SHOP_URL = ENVIRONMENT.sandbox_shop_url
