import { parseSecret } from '../signing-secret.ts'
import { verifyWebhook } from '../verify-webhook.ts'
import type { SignedDelivery, WebhookSender } from './webhook-sender.ts'

/** Whoever signs as the Standard Webhooks specification has it, such as `webhooks()` of this package. */
export const standard: WebhookSender = standardHeaders('Standard Webhooks', 'webhook')

/** Svix, whose headers have names of their own: `svix-id`, `svix-timestamp`, `svix-signature`. */
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
