import { memoryStore } from '@oncekey/core'
import { describeGroups } from '../behaviour/describe-groups.ts'
import type { StoreFixture } from '../store/fixture/store-fixture.ts'
import { adapterBehaviours, http2Behaviours, runAdapterBehaviour } from './adapter-behaviours.ts'
import type { AdapterBehaviourGroup, Expression } from './site/adapter-behaviour.ts'
import type { ServeSite } from './site/adapter-fixture.ts'

/** An adapter to test. */
export interface AdapterSuite {
  /** The name in the report: `express 5`. */
  readonly name: string
  readonly serve: ServeSite
  /** The stores to test over. @default the memory store, in both modes */
  readonly stores?: readonly AdapterSuiteStore[]
  /** What the framework's handlers cannot express, with the reason; those tests are skipped. */
  readonly lacks?: Readonly<Partial<Record<Expression, string>>>
  /** The timeout of each test. Milliseconds. @default 30_000 */
  readonly timeoutMs?: number
}

/** A store the adapter is tested over. */
export interface AdapterSuiteStore {
  readonly name: string
  /** Creates a fixture for one test, as for `describeStore`. */
  create(): StoreFixture | Promise<StoreFixture>
}

/**
 * Registers the whole adapter contract with Vitest, over real HTTP: one test per sentence. Tests
 * that need something the store lacks are skipped with the reason.
 */
export function describeAdapter(suite: AdapterSuite): void {
  describeBehaviours(suite, 'adapter contract', adapterBehaviours())
}

/**
 * Registers the additional behaviours of an adapter whose handlers can reach the HTTP/2 stream of
 * their response. Its site speaks HTTP/1.1 to the suite through a proxy of its own, in which a
 * stream that ends early makes the connection end early. Each handler gets its `call.stream`.
 */
export function describeHttp2Adapter(suite: AdapterSuite): void {
  describeBehaviours(suite, 'HTTP/2 streams', http2Behaviours())
}

function describeBehaviours(
  suite: AdapterSuite,
  contract: string,
  groups: readonly AdapterBehaviourGroup[],
): void {
  const { name, serve, stores = memoryStores, lacks = {}, timeoutMs = 30_000 } = suite
  for (const store of stores) {
    const title = `${contract}: ${name}, ${store.name}`
    describeGroups(title, groups, timeoutMs, async (behaviour) => {
      const lacking = behaviour.expresses && lacks[behaviour.expresses]
      return lacking ?? (await runAdapterBehaviour(behaviour, serve, () => store.create()))
    })
  }
}

/** The memory store in both modes, with every hook that the suite can use. */
export const memoryStores: readonly AdapterSuiteStore[] = (['transaction', 'lease'] as const).map(
  (mode) => ({ name: `memory store in ${mode} mode`, create: () => memoryFixture(mode) }),
)

const DAY_MS = 24 * 60 * 60 * 1000

function memoryFixture(mode: 'transaction' | 'lease'): StoreFixture {
  let now = Date.now()
  const store = memoryStore({ mode, now: () => now })
  const fixture: StoreFixture<Parameters<typeof write>[0]> = {
    store,
    write,
    written: (id, within) => (within ? within.get(id) === true : store.data.has(id)),
    events: () => store.events,
    expireResults() {
      now += DAY_MS
    },
  }
  return fixture as StoreFixture
}

function write(
  transaction: { set(name: string, value: unknown): void; get(name: string): unknown },
  id: string,
): void {
  transaction.set(id, true)
}
