import { type Authenticate, OptionsError } from '@oncekey/core'
import { parseSecret, type SigningSecret } from './signing-secret.ts'
import { verifyWebhook } from './verify-webhook.ts'

/** What `receiveWebhook` makes: options that every adapter takes. */
export interface WebhookReceiverOptions {
  readonly header: 'webhook-id'
  readonly namespace: string
  readonly scope: 'dangerously-shared'
  readonly methods: readonly ['POST']
  readonly authenticate: Authenticate
}

/**
 * Options for `idempotency` of any adapter, with which a route takes each webhook once: the signature
 * is checked over the bytes that came, and `webhook-id` is the key, in a namespace of its own.
 *
 * One sender's ids are unique to it, so the keys of one route are shared; with several senders on one
 * route, give each a `namespace`.
 *
 * @example
 * ```ts
 * const received = idempotency({ store, ...receiveWebhook({ secrets: [process.env.SECRET] }) })
 *
 * app.post('/webhooks', express.raw({ type: () => true }), received, async (req, res) => {
 *   const event = JSON.parse(req.body)
 *   // … once, in `await received.of(req).transaction()`
 *   res.status(204).end()
 * })
 * ```
 */
export function receiveWebhook({
  secrets,
  namespace = 'webhooks',
  toleranceSeconds = 300,
}: {
  /** All that may be in force; a function where they change while the process runs. */
  readonly secrets:
    | readonly SigningSecret[]
    | (() => readonly SigningSecret[] | Promise<readonly SigningSecret[]>)
  /** One per sender, so that their ids never meet. @default 'webhooks' */
  readonly namespace?: string
  /** How far the sender's clock and ours may be apart. Seconds. @default 300 */
  readonly toleranceSeconds?: number
}): WebhookReceiverOptions {
  if (typeof secrets !== 'function') checkSecrets(secrets)
  if (!(toleranceSeconds > 0)) {
    throw new OptionsError(`toleranceSeconds must be over 0, not ${toleranceSeconds}.`)
  }
  return {
    header: 'webhook-id',
    namespace,
    scope: 'dangerously-shared',
    methods: ['POST'],
    async authenticate(request, body) {
      verifyWebhook({
        header: (name) => only(request.header(name)),
        body,
        secrets: typeof secrets === 'function' ? await secrets() : secrets,
        toleranceSeconds,
      })
    },
  }
}

function checkSecrets(secrets: readonly SigningSecret[]): void {
  if (!Array.isArray(secrets) || secrets.length === 0) {
    throw new OptionsError('secrets is missing: write `secrets: [process.env.WEBHOOK_SECRET]`.')
  }
  secrets.forEach(parseSecret)
}

/** A header that came twice says nothing. */
function only(lines: readonly string[]): string | undefined {
  return lines.length === 1 ? lines[0] : undefined
}
