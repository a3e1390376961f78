/**
 * `@oncekey/webhooks/sign`: signing webhooks and checking signatures, as the Standard Webhooks
 * specification defines them. It loads only `@oncekey/core`: no database, no HTTP client, no
 * outbox.
 */
export { generateKeyPair, generateSecret } from './signing/generate-secret.ts'
export { signWebhook, type WebhookHeaders } from './signing/sign-webhook.ts'
export type { SigningSecret } from './signing/signing-secret.ts'
export { type VerifiedWebhook, verifyWebhook } from './signing/verify-webhook.ts'
