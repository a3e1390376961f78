import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { EngineOptions } from '@oncekey/core'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { type AdapterContext, counted, created, type Differently } from '../site/adapter-context.ts'
import type { SiteHandler } from '../site/adapter-fixture.ts'
import { optionResults } from './option-results.ts'

/**
 * Options that are functions of the app: all are called, awaited, limited in time and checked in
 * the same way.
 */
export function optionFunctions(): AdapterBehaviourGroup {
  return {
    title: 'an option that is a function',
    behaviours: [
      ...Object.entries(BEFORE).flatMap(([option, given]) => [
        mayTakeItsTime(option, given),
        ...['throws', 'rejects', 'never answers', ...WITH_NOTHING].map((how) =>
          failsBefore(option, given, how),
        ),
        ...given.wrong.map((value) => returnsBefore(option, given, value)),
      ]),
      ...Object.entries(AFTER).flatMap(([option, given]) => [
        ...given.isAsync.map(() => mayTakeItsTime(option, given)),
        ...['throws', 'rejects', 'never answers']
          .filter((how) => how === 'throws' || given.isAsync.length > 0)
          .map((how) => failsAfter(option, given, how)),
        ...given.wrong.map((value) => returnsAfter(option, given, value)),
      ]),
      ...optionResults(),
    ],
  }
}

/** An option and a valid function for it. */
interface Given {
  readonly right: () => unknown
  /** Invalid return values. */
  readonly wrong: readonly unknown[]
  readonly and?: Partial<EngineOptions<unknown>>
}

/** Called before the handler runs. */
const BEFORE: Readonly<Record<string, Given>> = {
  scope: { right: () => 'ada', wrong: [] },
  fingerprint: { right: () => 'all the same', wrong: [undefined, Number.NaN, () => 1] },
  key: { right: () => 'the key', wrong: [7] },
  url: { right: () => '/', wrong: [undefined] },
  validateKey: { right: () => true, wrong: [undefined, 1] },
  authenticate: { right: () => undefined, wrong: [false] },
  seal: {
    right: () => ({ current: 'k1', keys: { k1: SEAL_KEY } }),
    wrong: [undefined, { current: 'k1', keys: {} }],
  },
}

const SEAL_KEY = randomBytes(32)

/** What a framework would take for the word to go on with the next handler. */
const WITH_NOTHING: readonly string[] = ['throws undefined', 'rejects without a reason']

/** Called after the handler has responded. */
const AFTER: Readonly<Record<string, Given & { readonly isAsync: readonly [true] | readonly [] }>> =
  {
    disposition: { right: () => undefined, wrong: ['keep', null], isAsync: [true] },
    redact: {
      right: () => ({ status: 201, headers: [], body: Buffer.from('redacted') }),
      wrong: [
        undefined,
        { status: 201, headers: [['x', 'a\nb']], body: Buffer.from('') },
        { status: Number.NaN, headers: [], body: Buffer.from('') },
        { status: 201, headers: [], body: 'text' },
      ],
      isAsync: [true],
    },
    replayHeader: { right: () => true, wrong: ['yes', Promise.resolve(true)], isAsync: [] },
  }

/** A site whose option of that name is this function. */
function siteWith(
  { serve }: AdapterContext,
  option: string,
  call: () => unknown,
  handler: SiteHandler,
  also: Partial<EngineOptions<unknown>> = {},
) {
  const differently: Differently =
    option === 'scope' || option === 'fingerprint'
      ? { [option]: call as never, options: also }
      : { options: { ...also, [option]: call } }
  return serve(handler, differently)
}

const withHeader = () => created({ headers: [['x-order', '1']] })

function mayTakeItsTime(option: string, { right }: Given): AdapterBehaviour {
  return {
    title: `may be async: ${option}`,
    async run(context) {
      const { handler, runs } = counted(withHeader)
      const later = async () => {
        await new Promise((resolve) => setImmediate(resolve))
        return right()
      }
      const site = await siteWith(context, option, later, handler)
      const key = context.name()
      assert.equal((await site.post(key)).status, 201)
      const again = await site.post(key)
      assert.equal(again.status, 201)
      assert.equal(again.header('x-idempotency-replayed'), 'true')
      assert.equal(runs(), 1)
    },
  }
}

function failing(how: string): () => unknown {
  if (how === 'never answers') return () => new Promise(() => {})
  if (how === 'rejects without a reason') return () => Promise.reject()
  if (how === 'throws undefined') {
    return () => {
      throw undefined
    }
  }
  if (how === 'rejects') {
    return async () => {
      throw new Error('a bug of the app')
    }
  }
  return () => {
    throw new Error('a bug of the app')
  }
}

function failsBefore(option: string, { right }: Given, how: string): AdapterBehaviour {
  return {
    title: `that ${how} is an error of the app, and nothing runs: ${option}`,
    async run(context) {
      const { handler, runs } = counted(withHeader)
      let call = failing(how)
      const site = await siteWith(context, option, () => call(), handler, { handlerTimeoutMs: 500 })
      const key = context.name()
      const answer = await site.post(key)
      assert.equal(answer.status, 500, answer.text)
      assert.deepEqual(answer.json(), { error: errorOf(how) })
      assert.equal(runs(), 0)
      call = right
      assert.equal((await site.post(key)).status, 201, 'the key is free')
    },
  }
}

function errorOf(how: string): string {
  if (WITH_NOTHING.includes(how)) return 'option-failed'
  return how === 'never answers' ? 'option-timeout' : 'a bug of the app'
}

function returnsBefore(option: string, { right }: Given, wrong: unknown): AdapterBehaviour {
  return {
    title: `that returns ${shown(wrong)} is an error of the app, options-invalid, and nothing runs: ${option}`,
    async run(context) {
      const { handler, runs } = counted(withHeader)
      let call = () => wrong
      const site = await siteWith(context, option, () => call(), handler)
      const key = context.name()
      const answer = await site.post(key)
      assert.equal(answer.status, 500, answer.text)
      assert.deepEqual(answer.json(), { error: 'options-invalid' })
      assert.equal(runs(), 0)
      call = right
      assert.equal((await site.post(key)).status, 201, 'the key is free')
    },
  }
}

function failsAfter(option: string, { right }: Given, how: string): AdapterBehaviour {
  const error = how === 'never answers' ? 'option-timeout' : 'option-failed'
  return {
    title: `that ${how} is an error of the app, ${error}, and nothing is kept: ${option}`,
    run: (context) => keepsNothing(context, option, right, failing(how), error),
  }
}

function returnsAfter(option: string, { right }: Given, wrong: unknown): AdapterBehaviour {
  return {
    title: `that returns ${shown(wrong)} is an error of the app, options-invalid, and nothing is kept: ${option}`,
    run: (context) => keepsNothing(context, option, right, () => wrong, 'options-invalid'),
  }
}

async function keepsNothing(
  context: AdapterContext,
  option: string,
  right: () => unknown,
  wrongly: () => unknown,
  error: string,
): Promise<void> {
  const { fixture, name, written, committed } = context
  const [key, row, subject] = [name(), name(), name()]
  const stores = fixture.store.capabilities.transactions && fixture.written !== undefined
  const { handler, runs } = counted(async ({ context }) => {
    if (runs() > 1) return withHeader()
    if (stores) await fixture.write?.(await context.transaction(), row)
    context.emit({ type: 'order.created', subject })
    return withHeader()
  })
  let call = wrongly
  const site = await siteWith(context, option, () => call(), handler, { handlerTimeoutMs: 500 })
  const answer = await site.post(key)
  assert.equal(answer.status, 500, answer.text)
  assert.deepEqual(answer.json(), { error })
  assert.equal(answer.header('x-order'), undefined, 'a header of what was undone')
  if (stores) assert.equal(await written(row), false)
  if (fixture.events !== undefined) assert.deepEqual(await committed(subject), [])
  call = right
  const again = await site.post(key)
  assert.equal(again.status, 201, again.text)
  assert.equal(again.header('x-idempotency-replayed'), undefined)
  assert.equal(runs(), 2)
}

function shown(value: unknown): string {
  if (value instanceof Promise) return 'a promise where it must answer at once'
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'number') return String(value)
  return JSON.stringify(value) ?? 'undefined'
}
