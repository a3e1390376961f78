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
 * Stripe: `Stripe-Signature: t=<seconds>,v1=<hex>[,v1=…]` over `t.body` with the endpoint's
 * `whsec_…` secret as it is; the id is the event's, in the body (docs.stripe.com/webhooks, "Verify
 * webhook signatures manually").
 */
export const stripe: WebhookSender = {
  name: 'Stripe',
  idInBody: (body) => textMember(body, 'id'),
  isIdSigned: true,
  checkSecret: (secret) => checkPlainSecret('Stripe', secret),
  verify(delivery) {
    const parts = requiredHeader(delivery, 'stripe-signature').split(',')
    const valuesOf = (name: string): string[] =>
      parts.flatMap((part) => (part.startsWith(`${name}=`) ? [part.slice(name.length + 1)] : []))
    const [time, second] = valuesOf('t')
    if (time === undefined || second !== undefined)
      throw notAuthentic('stripe-signature does not name one time')
    const seconds = recentSeconds(delivery, 'stripe-signature', time)
    expectHmac(delivery, [`${seconds}.`, delivery.body], valuesOf('v1'), 'hex')
  },
}
