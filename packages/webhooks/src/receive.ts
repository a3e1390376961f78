/**
 * `@oncekey/webhooks/receive`: receiving other parties' webhooks, each once. It loads only
 * `@oncekey/core`: no database, no HTTP client, no outbox.
 */
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
export type { SigningSecret } from './signing/signing-secret.ts'
export { type VerifiedWebhook, verifyWebhook } from './signing/verify-webhook.ts'
