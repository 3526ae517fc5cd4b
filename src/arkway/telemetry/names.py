"""What does OpenTelemetry call things? The one place that pins its conventions for GenAI.

They are in development and change their names; another version is a change of this file and of
docs/metrics.md. Ours begin with `arkway.`.
Source:  open-telemetry/semantic-conventions-genai at 066d4a7 (2026), on conventions 1.44.0.
"""

SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"

# Attributes.
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
CHOICES = "gen_ai.request.choice.count"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
MODALITY = "gen_ai.token.modality"
ERROR_TYPE = "error.type"
HTTP_STATUS = "http.response.status_code"
SERVICE_NAME = "service.name"
SERVICE_VERSION = "service.version"
SERVICE_INSTANCE = "service.instance.id"

# Ours.
REQUEST_ID = "arkway.request_id"
KEY = "arkway.key"
TENANT = "arkway.tenant"
ACCOUNT = "arkway.account"
AFFINITY = "arkway.affinity"
ATTEMPT = "arkway.attempt"
OUTCOME = "arkway.outcome"
CLASS = "arkway.error_class"
FIRST_TOKEN_MS = "arkway.first_token_ms"  # noqa: S105 - no password

# Values.
CHAT = "chat"
UNKNOWN_MODALITY = "unknown"  # upstreams do not tell text from images in their counts
GATEWAY = "arkway"  # the provider that callers see
PROVIDERS = {"ark": "volcengine.ark", "openai": "openai", "local": "arkway.local"}  # by dialect

# Metrics.
REQUEST_DURATION = "gen_ai.server.request.duration"
TIME_TO_FIRST_TOKEN = "gen_ai.server.time_to_first_token"  # noqa: S105 - no password
USAGE_INPUT = "gen_ai.client.inference.usage.input_tokens"
USAGE_OUTPUT = "gen_ai.client.inference.usage.output_tokens"
USAGE_CACHE_READ = "gen_ai.client.inference.usage.cache_read.input_tokens"
USAGE_CACHE_WRITE = "gen_ai.client.inference.usage.cache_write.input_tokens"
USAGE_REASONING = "gen_ai.client.inference.usage.reasoning.output_tokens"
