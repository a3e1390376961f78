import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { EngineOptions, Store } from '@oncekey/core'
import type { StoreFixture } from '../../store/fixture/store-fixture.ts'
import type { Reply, ServedSite, ServeSite, Site, SiteHandler } from './adapter-fixture.ts'
import { type Faults, faultyStore } from './faulty-store.ts'
import { type Answer, type Asked, httpClient } from './http-client.ts'

/** What a behaviour is tested with: an adapter, its own store, and a client. */
export interface AdapterContext {
  readonly fixture: StoreFixture
  readonly store: Store
  readonly mode: 'transaction' | 'lease'
  /** The path of the POST route. */
  readonly path: string

  /** Serves the handler, or another site, until the test ends. */
  serve(handler: SiteHandler, differently?: Differently): Promise<Served>
  /** A name or key that no other test uses. */
  name(): string

  /** Whether a handler's write with that name is committed. */
  written(id: string): Promise<boolean>
  /** The types of committed events with this subject. */
  committed(subject: string): Promise<string[]>

  end(): Promise<void>
}

/** How a site differs from one covered route under one scope. */
export interface Differently {
  readonly options?: Partial<EngineOptions<unknown>>
  readonly faults?: Faults
  readonly scope?: Site['scope']
  readonly fingerprint?: Site['fingerprint']
  readonly outside?: Site['outside']
  readonly routes?: Site['routes']
}

/** A running site and a client for it. */
export interface Served extends ServedSite {
  /** Sends a request with or without a key; by default a POST to the path of the test. */
  post(key: string | undefined, asked?: Asked): Promise<Answer>
}

export function adapterContext(serveSite: ServeSite, fixture: StoreFixture): AdapterContext {
  const mine = randomUUID().slice(0, 8)
  const path = '/orders'
  const { store } = fixture
  const ends: (() => unknown)[] = []
  let names = 0

  return {
    fixture,
    store,
    mode: store.capabilities.mode,
    path,

    async serve(handler, differently = {}) {
      const { options, faults, fingerprint, outside = () => ({}), routes } = differently
      const site = await serveSite({
        options: {
          store: faults === undefined ? store : faultyStore(store, faults),
          namespace: `conformance-${mine}`,
          ...options,
        },
        scope: 'scope' in differently ? differently.scope : 'dangerously-shared',
        fingerprint,
        outside,
        routes: routes ?? [{ method: 'POST', path, handler }],
      })
      const client = httpClient(site.url, path)
      ends.push(
        () => client.close(),
        () => site.close(),
      )
      const header = [options?.header ?? 'Idempotency-Key'].flat()[0] as string
      return {
        ...site,
        post: (key, asked = {}) =>
          client.ask({
            ...asked,
            headers: { ...(key !== undefined && { [header]: key }), ...asked.headers },
          }),
      }
    },

    name() {
      names += 1
      return `${mine}-${names}`
    },

    async written(id) {
      assert.ok(fixture.written)
      return await fixture.written(id)
    },

    async committed(subject) {
      assert.ok(fixture.events)
      const events = await fixture.events()
      return events.filter((event) => event.subject === subject).map(({ type }) => type)
    },

    async end() {
      for (const end of ends) await end()
    },
  }
}

/** Counts the runs of a handler; the default handler responds with {@link created}. */
export function counted(handler: SiteHandler = () => created()): {
  readonly handler: SiteHandler
  runs(): number
} {
  let runs = 0
  return {
    handler(call) {
      runs += 1
      return handler(call)
    },
    runs: () => runs,
  }
}

/** By default 201 and a small JSON body. */
export function created(differently: Reply = {}): Reply {
  return { status: 201, body: { kind: 'json', value: { id: 'order-1' } }, ...differently }
}

/** Fails the test unless the response is a replay of the other one. */
export function expectReplay(
  again: Answer,
  first: Answer,
  marker = 'x-idempotency-replayed',
): void {
  assert.equal(again.status, first.status, 'status of the replay')
  assert.equal(again.bytes.toString('latin1'), first.bytes.toString('latin1'), 'body of the replay')
  assert.equal(again.header(marker), 'true', `${marker} of the replay`)
  assert.equal(first.header(marker), undefined, `${marker} of the first answer`)
}

/** Fails the test unless the answer is a problem with that code and status. */
export function expectProblem(answer: Answer, status: number, code: string): void {
  assert.equal(`${answer.status} ${answer.code}`, `${status} ${code}`, answer.text)
}

/** A gate that handlers wait at until the test opens it. */
export interface Door {
  readonly opened: Promise<void>
  open(): void
}

export function door(): Door {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}
