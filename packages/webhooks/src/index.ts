export { type AddressGuard, addressGuard } from './address-guard.ts'
export type {
  WebhookAttemptMessage,
  WebhookEndpointMessage,
  WebhookErrorMessage,
} from './channels.ts'
export { type Classify, standardWebhooks, type Verdict } from './classify.ts'
export type {
  Deliveries,
  DeliveryFilter,
  WebhookAttempt,
  WebhookDelivery,
  WebhookDeliveryDetail,
} from './deliveries.ts'
export type { Endpoint } from './endpoint.ts'
export type { EndpointSecret, EndpointSecrets } from './endpoint-secrets.ts'
export type { EndpointTls } from './endpoint-tls.ts'
export type { ChangedWays, EndpointWays } from './endpoint-ways.ts'
export type { EndpointFilter, Endpoints, NewEndpoint, RegisteredEndpoint } from './endpoints.ts'
export type { CustomerEndpoints, CustomerWebhooks } from './for-customer.ts'
export { generateKeyPair, generateSecret } from './generate-secret.ts'
export type { EventFacts, WebhooksOptions } from './options.ts'
export type { PingResult } from './ping-endpoint.ts'
export type { PurgedWebhooks, PurgeWebhooksOptions } from './purge-webhooks.ts'
export { receiveWebhook, type WebhookReceiverOptions } from './receive-webhook.ts'
export { github } from './receiving/github.ts'
export { shopify } from './receiving/shopify.ts'
export { slack } from './receiving/slack.ts'
export { standard, svix } from './receiving/standard-webhooks.ts'
export { stripe } from './receiving/stripe.ts'
export type { SignedDelivery, WebhookSender } from './receiving/webhook-sender.ts'
export type { ResolveName } from './resolve-name.ts'
export { type RetrySchedule, standardSchedule } from './retry-schedule.ts'
export { signWebhook, type WebhookHeaders } from './sign-webhook.ts'
export type { SigningSecret } from './signing-secret.ts'
export { type VerifiedWebhook, verifyWebhook } from './verify-webhook.ts'
export { type Webhooks, webhooks } from './webhooks.ts'
export type { WebhookWorker } from './worker.ts'
export type { WorkerOptions } from './worker-options.ts'
