import {
  checkPlainSecret,
  expectHmac,
  notAuthentic,
  requiredHeader,
  type WebhookSender,
} from './webhook-sender.ts'

/**
 * GitHub. The signature is `X-Hub-Signature-256: sha256=<hex>` over the body. The id is
 * `X-GitHub-Delivery`, which stays the same when a delivery is sent again, and is not signed
 * (docs.github.com, "Validating webhook deliveries"). It names the event, so several Apps get it
 * with different bodies: each needs a route of its own.
 */
export const github: WebhookSender = {
  name: 'GitHub',
  idHeader: 'x-github-delivery',
  isIdSigned: false,
  checkSecret: (secret) => checkPlainSecret('GitHub', secret),
  verify(delivery) {
    const [, hex] =
      /^sha256=([\da-f]{64})$/i.exec(requiredHeader(delivery, 'x-hub-signature-256')) ?? []
    if (hex === undefined) throw notAuthentic('x-hub-signature-256 is not a SHA-256')
    expectHmac(delivery, [delivery.body], [hex], 'hex')
  },
}
