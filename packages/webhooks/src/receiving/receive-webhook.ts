import {
  type Authenticate,
  type Disposition,
  OptionsError,
  type PlainResponse,
} from '@oncekey/core'
import { checkTolerance } from '../signing/verify-webhook.ts'
import { pathScope } from './path-scope.ts'
import { standard } from './standard-webhooks.ts'
import type { WebhookSender } from './webhook-sender.ts'

export interface ReceiveWebhookOptions {
  /**
   * The sender: `stripe`, `github`, `shopify`, `slack`, `svix` or `standard`, or a `WebhookSender`
   * of your own. @default standard
   */
  readonly sender?: WebhookSender
  /**
   * Every secret that may be in force: during a rotation the new one and the old one. Or a function
   * that returns them, if they change while the process runs; it is called for each delivery. The
   * order of a rotation is in docs/webhooks.md, "Rotating the secret of a sender".
   */
  readonly secrets:
    | readonly (string | undefined)[]
    | (() => readonly (string | undefined)[] | Promise<readonly (string | undefined)[]>)
  /** Use one for each sender, so that their ids cannot collide. @default 'webhooks' */
  readonly namespace?: string
  /** How far the time in a delivery may be from this host's clock. Seconds. @default 300 */
  readonly toleranceSeconds?: number
}

/** The result of `receiveWebhook`: options for `idempotency` of any adapter. */
export interface WebhookReceiverOptions {
  readonly header?: string
  readonly key?: (request: unknown, raw: () => Promise<Uint8Array>) => Promise<string | undefined>
  readonly namespace: string
  readonly scope: (request: unknown) => string
  readonly methods: readonly ['POST']
  readonly compares: 'request' | 'key'
  readonly disposition: (response: PlainResponse) => Disposition
  readonly problemStatus: typeof PROBLEM_STATUS
  readonly authenticate: Authenticate
}

/**
 * Makes options for `idempotency` of any adapter, with which a route takes each webhook once. The
 * signature is checked over the bytes received. The key is the sender's id, in a separate
 * namespace.
 *
 * - A request is checked whatever its method is. GET, HEAD and OPTIONS alone reach the handler
 *   unchecked, for health checks and handshakes.
 * - If the signature covers the id, the id alone identifies the webhook. If not, another body under
 *   a used id is refused with 422 `key-reused`.
 * - Only a 2xx of the handler is final. Any other response is not stored and frees the id, so that
 *   after a repair the handler gets the webhook that it refused before.
 * - Responses suit senders that read only the status: a delivery that arrives while the first
 *   attempt is running gets 503 with `Retry-After`, and one whose response is no longer stored gets
 *   200.
 * - A key belongs to the path it came to: the same id at two routes means two webhooks. So a route
 *   with a parameter or a wildcard has to be given a scope of its own,
 *   `{ ...receiveWebhook(…), scope: () => 'stripe' }`: whoever has one signed delivery could send
 *   it to every other path of that route, and each would take it once.
 *
 * @example
 * ```ts
 * const received = idempotency({ store, ...receiveWebhook({ secrets: [process.env.SECRET] }) })
 *
 * app.post('/webhooks', express.raw({ type: () => true, limit: '1mb' }), received, async (req, res) => {
 *   const event = JSON.parse(req.body)
 *   // … once, in `await received.of(req).transaction()`
 *   res.status(204).end()
 * })
 * ```
 */
export function receiveWebhook({
  sender = standard,
  secrets,
  namespace = 'webhooks',
  toleranceSeconds = 300,
}: ReceiveWebhookOptions): WebhookReceiverOptions {
  if (typeof sender?.verify !== 'function') {
    throw new OptionsError(
      'sender must be one of those exported, such as `stripe`, or a `WebhookSender` of your own.',
    )
  }
  const fixed = typeof secrets === 'function' ? undefined : checked(sender, secrets)
  checkTolerance(toleranceSeconds)
  const { idHeader, idInBody, isIdSigned } = sender
  return {
    ...(idHeader !== undefined && { header: idHeader }),
    ...(idInBody !== undefined && { key: async (_, raw) => idInBody(await raw()) }),
    namespace,
    scope: pathScope,
    methods: ['POST'],
    compares: isIdSigned ? 'key' : 'request',
    disposition: ({ status }) => (status >= 200 && status < 300 ? 'commit' : 'retry'),
    problemStatus: PROBLEM_STATUS,
    async authenticate(request, body) {
      const current =
        fixed ?? checked(sender, await (secrets as () => Secrets | Promise<Secrets>)())
      // The engine reports a returned `false`, which is no consent.
      return await sender.verify({
        header: (name) => only(request.header(name)),
        body,
        secrets: current,
        toleranceSeconds,
        now: new Date(),
      })
    },
  }
}

/** Secrets as they come from the environment. A missing one is refused. */
type Secrets = readonly (string | undefined)[]

const PROBLEM_STATUS = { 'in-progress': 503, 'outcome-unknown': 503, 'result-gone': 200 } as const

function checked(sender: WebhookSender, secrets: Secrets): readonly string[] {
  if (!Array.isArray(secrets) || secrets.length === 0) {
    throw new OptionsError('secrets is missing: write `secrets: [process.env.WEBHOOK_SECRET]`.')
  }
  return secrets.map((secret, at) => {
    if (secret === undefined) {
      throw new OptionsError(`secrets[${at}] is undefined: is its environment variable set?`)
    }
    sender.checkSecret(secret)
    return secret
  })
}

/** A header that came twice is ambiguous and counts as missing. */
function only(lines: readonly string[]): string | undefined {
  return lines.length === 1 ? lines[0] : undefined
}
