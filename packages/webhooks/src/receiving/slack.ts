import {
  checkPlainSecret,
  expectHmac,
  notAuthentic,
  recentSeconds,
  requiredHeader,
  textMember,
  type WebhookSender,
} from './webhook-sender.ts'

/**
 * Slack's Events API. The signature is `X-Slack-Signature: v0=<hex>` over `v0:<seconds>:body`, with
 * the app's signing secret. The id is `event_id` in the body, which stays the same on every retry
 * (docs.slack.dev, "Verifying requests from Slack"). A `url_verification` has no id: handle it on a
 * separate route, or with `required: false`.
 */
export const slack: WebhookSender = {
  name: 'Slack',
  idInBody: (body) => textMember(body, 'event_id'),
  isIdSigned: true,
  checkSecret: (secret) => checkPlainSecret('Slack', secret),
  verify(delivery) {
    const given = requiredHeader(delivery, 'x-slack-request-timestamp')
    const seconds = recentSeconds(delivery, 'x-slack-request-timestamp', given)
    const [, hex] = /^v0=([\da-f]{64})$/i.exec(requiredHeader(delivery, 'x-slack-signature')) ?? []
    if (hex === undefined) throw notAuthentic('x-slack-signature is not a v0 signature')
    expectHmac(delivery, [`v0:${seconds}:`, delivery.body], [hex], 'hex')
  },
}
