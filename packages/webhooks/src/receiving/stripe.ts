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
 * Stripe. The signature is `Stripe-Signature: t=<seconds>,v1=<hex>[,v1=…]` over `t.body`; its key
 * is the endpoint's whole `whsec_…` secret as text. The id is that of the event, in the body
 * (docs.stripe.com/webhooks, "Verify webhook signatures manually"). There may be blanks around the
 * commas: a gateway in between may write the header anew, as a list (RFC 9110 section 5.6.1).
 */
export const stripe: WebhookSender = {
  name: 'Stripe',
  idInBody: (body) => textMember(body, 'id'),
  isIdSigned: true,
  checkSecret: (secret) => checkPlainSecret('Stripe', secret),
  verify(delivery) {
    const parts = requiredHeader(delivery, 'stripe-signature')
      .split(',')
      .map((part) => part.trim())
    const valuesOf = (name: string): string[] =>
      parts.flatMap((part) => (part.startsWith(`${name}=`) ? [part.slice(name.length + 1)] : []))
    const [time, second] = valuesOf('t')
    if (time === undefined || second !== undefined)
      throw notAuthentic('stripe-signature does not name one time')
    const seconds = recentSeconds(delivery, 'stripe-signature', time)
    expectHmac(delivery, [`${seconds}.`, delivery.body], valuesOf('v1'), 'hex')
  },
}
