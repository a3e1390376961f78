import {
  checkPlainSecret,
  expectHmac,
  requiredHeader,
  type WebhookSender,
} from './webhook-sender.ts'

/**
 * Shopify. The signature is `X-Shopify-Hmac-SHA256: <base64>` over the body, with the app's client
 * secret. The id is `X-Shopify-Webhook-Id`, which stays the same on every retry, and is not signed
 * (shopify.dev, "Webhooks delivery structure"). It is not `X-Shopify-Event-Id`, which all
 * deliveries of one action of the merchant share, those of other topics too.
 */
export const shopify: WebhookSender = {
  name: 'Shopify',
  idHeader: 'x-shopify-webhook-id',
  isIdSigned: false,
  checkSecret: (secret) => checkPlainSecret('Shopify', secret),
  verify(delivery) {
    const signature = requiredHeader(delivery, 'x-shopify-hmac-sha256')
    expectHmac(delivery, [delivery.body], [signature], 'base64')
  },
}
