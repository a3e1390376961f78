import { parseSecret } from '../signing/signing-secret.ts'
import { verifyWebhook } from '../signing/verify-webhook.ts'
import type { SignedDelivery, WebhookSender } from './webhook-sender.ts'

/**
 * A sender that follows the Standard Webhooks specification, such as `webhooks()` of this package.
 */
export const standard: WebhookSender = standardHeaders('Standard Webhooks', 'webhook')

/** Svix, which uses its own header names: `svix-id`, `svix-timestamp`, `svix-signature`. */
export const svix: WebhookSender = standardHeaders('Svix', 'svix')

function standardHeaders(name: string, prefix: string): WebhookSender {
  return {
    name,
    idHeader: `${prefix}-id`,
    isIdSigned: true,
    checkSecret: (secret) => void parseSecret(secret),
    verify({ header, body, secrets, toleranceSeconds, now }: SignedDelivery) {
      verifyWebhook({
        header: (line) => header(line.replace(/^webhook/, prefix)),
        body,
        secrets,
        toleranceSeconds,
        now,
      })
    },
  }
}
