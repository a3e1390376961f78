export type { WebhookWorker } from './delivery/worker.ts'
export type { WorkerOptions } from './delivery/worker-options.ts'
export { type AddressGuard, addressGuard } from './dialing/address-guard.ts'
export type { EndpointTls } from './dialing/endpoint-tls.ts'
export type { ResolveName } from './dialing/resolve-name.ts'
export type { Endpoint } from './endpoints/endpoint.ts'
export type { EndpointSecret, EndpointSecrets } from './endpoints/endpoint-secrets.ts'
export type { ChangedWays, EndpointWays } from './endpoints/endpoint-ways.ts'
export type {
  EndpointFilter,
  Endpoints,
  NewEndpoint,
  RegisteredEndpoint,
} from './endpoints/endpoints.ts'
export type { PingResult } from './endpoints/ping-endpoint.ts'
export type { CustomerEndpoints, CustomerWebhooks } from './facade/for-customer.ts'
export { type Webhooks, webhooks } from './facade/webhooks.ts'
export type {
  Deliveries,
  DeliveryFilter,
  WebhookAttempt,
  WebhookDelivery,
  WebhookDeliveryDetail,
} from './operator/deliveries.ts'
export type { WebhookRequest } from './operator/delivery-request.ts'
export type { PurgedWebhooks, PurgeWebhooksOptions } from './operator/purge-webhooks.ts'
export type { EventFacts, WebhooksOptions } from './options/options.ts'
export { github } from './receiving/github.ts'
export {
  type ReceiveWebhookOptions,
  receiveWebhook,
  type WebhookReceiverOptions,
} from './receiving/receive-webhook.ts'
export { shopify } from './receiving/shopify.ts'
export { slack } from './receiving/slack.ts'
export { standard, svix } from './receiving/standard-webhooks.ts'
export { stripe } from './receiving/stripe.ts'
export type { SignedDelivery, WebhookSender } from './receiving/webhook-sender.ts'
export { type Classify, type ResponseClass, standardWebhooks } from './retry/response-class.ts'
export { type RetrySchedule, standardSchedule } from './retry/retry-schedule.ts'
export { webhookMigrations } from './schema/migrations/webhook-migrations.ts'
export { generateKeyPair, generateSecret } from './signing/generate-secret.ts'
export { signWebhook, type WebhookHeaders } from './signing/sign-webhook.ts'
export type { SigningSecret } from './signing/signing-secret.ts'
export { type VerifiedWebhook, verifyWebhook } from './signing/verify-webhook.ts'
export type {
  WebhookAttemptMessage,
  WebhookEndpointMessage,
  WebhookErrorMessage,
  WebhookTrace,
} from './telemetry/channels.ts'
