import { parseSendersSecret } from '../signing/signing-secret.ts'
import { verifyWebhook } from '../signing/verify-webhook.ts'
import type { SignedDelivery, WebhookSender } from './webhook-sender.ts'

/**
 * A sender that follows the Standard Webhooks specification, such as `webhooks()` of this package.
 */
export const standard: WebhookSender = standardHeaders('Standard Webhooks', 'webhook')

/**
 * Svix, which uses its own header names: `svix-id`, `svix-timestamp`, `svix-signature`. Its secrets
 * may lack the prefix `whsec_`.
 */
export const svix: WebhookSender = standardHeaders('Svix', 'svix', (secret) =>
  /^[A-Za-z\d+/]+=*$/.test(secret) ? `whsec_${secret}` : secret,
)

function standardHeaders(
  name: string,
  prefix: string,
  whole: (secret: string) => string = (secret) => secret,
): WebhookSender {
  return {
    name,
    idHeader: `${prefix}-id`,
    isIdSigned: true,
    checkSecret: (secret) => void parseSendersSecret(whole(secret)),
    verify({ header, body, secrets, toleranceSeconds, now }: SignedDelivery) {
      verifyWebhook({
        header: (line) => header(line.replace(/^webhook/, prefix)),
        body,
        secrets: secrets.map(whole),
        toleranceSeconds,
        now,
      })
    },
  }
}
