import { describe, expect, test } from 'vitest'
import type { Attempt, Decision } from '../../src/contracts/store.ts'
import { createEngine } from '../../src/engine/engine.ts'
import type { HandlerRun } from '../../src/engine/handler-run.ts'
import type { EngineOptions } from '../../src/engine/options.ts'
import type { RunOutcome } from '../../src/engine/outcome.ts'
import { OncekeyError } from '../../src/errors/errors.ts'
import { post, response } from '../support/post.ts'
import { published } from '../support/published.ts'
import { attemptThat, storeThat } from '../support/stores.ts'
import { runOf } from './handler-runs.ts'

type Options = Partial<EngineOptions<unknown>>
type Mode = 'transaction' | 'lease'

interface Told {
  readonly code: string
  readonly retry: string
  readonly detail: string
  readonly after: boolean
}

function told(outcome: RunOutcome): Told {
  if (outcome.kind !== 'problem' && outcome.kind !== 'failure') throw new Error(outcome.kind)
  const { body, headers } = outcome.response
  const { code, retry, detail } = JSON.parse(Buffer.from(body).toString())
  return { code, retry, detail, after: headers.some(([name]) => name === 'retry-after') }
}

/** What the client of a request with or without a key is told when its run ends like this. */
async function ended(
  key: string | undefined,
  mode: Mode,
  attempt: Partial<Attempt>,
  end: (run: HandlerRun) => Promise<RunOutcome>,
  options: Options = {},
): Promise<Told> {
  const store = storeThat({ mode, attempt })
  const engine = createEngine({ store, required: false, ...options })
  let outcome: RunOutcome | undefined
  await published('oncekey:error', async () => {
    outcome = await end(await runOf(engine, post(key)))
  })
  return told(outcome as RunOutcome)
}

const throws = (code: ConstructorParameters<typeof OncekeyError>[0]) => ({
  complete: async () => {
    throw new OncekeyError(code, 'as the store says')
  },
})
const busy = async () => {
  throw new OncekeyError('store-busy', 'no connection')
}
const answers = (run: HandlerRun) => run.complete(response())

async function failsForWantOfAConnection(run: HandlerRun): Promise<RunOutcome> {
  await run.context.transaction().catch(() => {})
  return run.complete(response(500))
}

const ends: [string, Partial<Attempt>, (run: HandlerRun) => Promise<RunOutcome>, Options?][] = [
  ['the store was busy at the end', throws('store-busy'), answers],
  ['the store was away at the end', throws('store-unavailable'), answers],
  ['the commit failed', throws('commit-failed'), answers],
  ['a statement had failed', throws('transaction-aborted'), answers],
  ['it collided', { complete: async () => 'superseded' }, answers],
  ['an option failed', {}, answers, { disposition: () => Promise.reject(new Error('mine')) }],
  ['it got no connection', { transaction: busy }, failsForWantOfAConnection],
  ['it took too long', {}, (run) => run.interrupted, { handlerTimeoutMs: 5 }],
]

// A bug: the client, or a proxy, was told to send the request again, when (`Retry-After`), and that
// it had not run. It had no key, so the handler's calls were made a second time.
describe.each<Mode>(['transaction', 'lease'])('%s mode: a request without a key', (mode) => {
  test.each(ends)('whose handler has begun is not to be sent again: %s', async (...given) => {
    const [, attempt, end, options] = given
    const { retry, after, detail } = await ended(undefined, mode, attempt, end, options)
    expect({ retry, after }).toEqual({ retry: 'never', after: false })
    expect(detail).toMatch(/came without a key.*Look whether it took effect first\.$/)
    expect(detail).not.toMatch(/was not run|[Ss]end (it|the same request) again|lost its key/)
  })

  test.each(ends)('may be, if it has a key: %s', async (...given) => {
    const [, attempt, end, options] = given
    const { retry, detail } = await ended('k-1', mode, attempt, end, options)
    expect(retry).toBe('same-key')
    expect(detail).not.toContain('was not run')
  })
})

// A bug: both said that the handler had not run, although it had, and perhaps called elsewhere.
describe('a store that cannot take the response', () => {
  test.each(['store-busy', 'store-unavailable'] as const)(
    'and says %s: the client is told that the outcome is open, operators what it was',
    async (code) => {
      const errors = await published('oncekey:error', async () => {
        const store = storeThat({ attempt: throws(code) })
        const outcome = await (await runOf(createEngine({ store }))).complete(response())
        expect(outcome).toMatchObject({ code: 'commit-failed', cause: { code } })
      })
      expect(errors).toMatchObject([{ during: 'complete', error: { code } }])
    },
  )

  // One that threw nothing was believed to have answered that the request had not run.
  test.each([
    ['store-busy', new OncekeyError('store-busy', 'gone')],
    ['store-unavailable', new OncekeyError('store-unavailable', 'gone')],
    ['broken, and throws nothing', undefined],
  ])(
    'because another attempt has the key, and is then %s: the outcome is open',
    async (_, error) => {
      const first = attemptThat([], { complete: async () => 'superseded' })
      const away = (): Decision => {
        throw error
      }
      const begin = [(): Decision => ({ kind: 'run', attempt: first }), away]
      const store = storeThat({ mode: 'lease', begin })
      const errors = await published('oncekey:error', async () => {
        const outcome = await (await runOf(createEngine({ store }))).complete(response())
        expect(told(outcome)).toMatchObject({ code: 'commit-failed', retry: 'same-key' })
      })
      expect(errors).toMatchObject([{ during: 'begin' }, { during: 'complete' }])
    },
  )
})
