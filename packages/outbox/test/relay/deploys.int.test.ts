import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { transact } from '@oncekey/postgres'
import { type Child, startNode, waitFor } from '@oncekey/test-servers'
import { afterEach, describe, expect, test } from 'vitest'
import { logDatabase } from '../databases/log-database.ts'

const children: Child<unknown>[] = []
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill()
    await child.exited
  }
})

describe.each([
  { ordered: false, how: 'in any order' },
  { ordered: true, how: 'in order' },
])('a deploy that changes the types of a consumer that takes events $how', ({ ordered }) => {
  const database = logDatabase()

  /** Emits until it is stopped, and keeps what it emitted. */
  let emitters = 0
  function emitting(types: readonly string[]) {
    emitters += 1
    const by = emitters
    const emitted: { subject: string; type: string }[] = []
    let running = true
    const ended = (async () => {
      const pool = database.pool()
      for (let at = 0; running; at += 1) {
        const some = types.map((type) => ({
          type,
          subject: `${type}-${by}-${at}`,
          orderingKey: `${at % 7}`,
        }))
        await transact(pool, (_, emit) => some.forEach(emit))
        emitted.push(...some)
        await setTimeout(2)
      }
    })()
    return {
      emitted,
      async end() {
        running = false
        await ended
      },
    }
  }

  function ledgerOf() {
    const path = join(mkdtempSync(join(tmpdir(), 'oncekey-deploy-')), 'ledger')
    writeFileSync(path, '')
    const lines = () => readFileSync(path, 'utf8').split('\n').filter(Boolean)
    return { path, subjects: () => lines().map((line) => line.split(' ')[0] as string), lines }
  }

  async function release(types: string, ledger: { path: string }): Promise<Child<unknown>> {
    const child = await startNode(new URL('./release.ts', import.meta.url), {
      env: {
        DATABASE_URL: database.url(),
        LEDGER: ledger.path,
        TYPES: types,
        ...(ordered && { ORDERED: '1' }),
      },
      readyTimeoutMs: 60_000,
    })
    children.push(child)
    return child
  }

  async function all(
    ledger: ReturnType<typeof ledgerOf>,
    events: readonly { subject: string }[],
  ): Promise<void> {
    const missing = () => {
      const seen = new Set(ledger.subjects())
      return events.filter(({ subject }) => !seen.has(subject)).length
    }
    await waitFor(() => missing() === 0, {
      what: 'every event to be delivered',
      timeoutMs: 90_000,
      intervalMs: 50,
    }).catch(() => expect({ missing: missing(), of: events.length }).toEqual({ missing: 0 }))
  }

  async function stop(child: Child<unknown>, signal: NodeJS.Signals): Promise<void> {
    child.kill(signal)
    await child.exited
  }

  async function begin(): Promise<ReturnType<typeof ledgerOf>> {
    await database.query('truncate oncekey.consumers cascade')
    await database.query('truncate oncekey.deliveries cascade')
    return ledgerOf()
  }

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'loses no event of the new type; the old release ends by %s',
    async (signal) => {
      const ledger = await begin()
      const before = emitting(['order.created'])
      const old = await release('order.created', ledger)
      const next = await release('order.created,order.paid', ledger)
      const during = emitting(['order.created', 'order.paid'])
      await setTimeout(1_000)
      await stop(old, signal)
      await setTimeout(300)
      await during.end()
      await before.end()
      await all(ledger, [...before.emitted, ...during.emitted])
      const counted = new Map<string, number>()
      for (const subject of ledger.subjects()) counted.set(subject, (counted.get(subject) ?? 0) + 1)
      const twice = [...counted.values()].filter((count) => count > 1)
      if (signal === 'SIGTERM') expect(twice).toEqual([])
      await stop(next, 'SIGTERM')
    },
  )

  test('loses no event of it when the new release is killed and restarted beside the old one', {
    timeout: 300_000,
  }, async () => {
    const ledger = await begin()
    await release('order.created', ledger)
    let next = await release('order.*', ledger)
    const during = emitting(['order.created', 'order.paid'])
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      await setTimeout(300)
      await stop(next, signal)
      await setTimeout(1_500)
      next = await release('order.*', ledger)
    }
    await during.end()
    await all(ledger, during.emitted)
  })

  test('leaves the types that only the old release takes to it while it runs', async () => {
    const ledger = await begin()
    const old = await release('order.created,order.paid', ledger)
    const next = await release('order.created', ledger)
    const during = emitting(['order.created', 'order.paid'])
    await setTimeout(800)
    await during.end()
    await all(ledger, during.emitted)
    await stop(old, 'SIGTERM')
    const after = emitting(['order.created'])
    await setTimeout(100)
    await after.end()
    await all(ledger, after.emitted)
    await stop(next, 'SIGTERM')
  })

  test('and renames one delivers both names: what the old release cannot take waits for the new one', {
    timeout: 300_000,
  }, async () => {
    const ledger = await begin()
    const old = await release('order.created', ledger)
    const next = await release('order.placed', ledger)
    const during = emitting(['order.created', 'order.placed'])
    await setTimeout(300)
    await during.end()
    await all(
      ledger,
      during.emitted.filter(({ type }) => type === 'order.created' && !ordered),
    )
    // Events that nobody has read when the old release stops are wanted by no release.
    if (ordered) await onRecord(ledger, during.emitted, 'true')
    await stop(old, 'SIGTERM')
    await all(
      ledger,
      during.emitted.filter(({ type }) => type === 'order.placed' && !ordered),
    )
    // For an ordered consumer, events behind one of the new type wait for it, and once the old
    // release is gone no running release takes those of the old type.
    if (ordered) {
      await onRecord(ledger, during.emitted, "state = 'dead' and reason = 'unwanted'")
    }
    await stop(next, 'SIGTERM')
  })

  /** Waits until each event was delivered, or has a delivery of which `sql` is true. */
  async function onRecord(
    ledger: ReturnType<typeof ledgerOf>,
    events: readonly { subject: string }[],
    sql: string,
  ): Promise<void> {
    await waitFor(
      async () => {
        const seen = new Set(ledger.subjects())
        const filed = await database.query<{ subject: string }>(
          `select subject from oncekey.deliveries where ${sql}`,
        )
        for (const { subject } of filed) seen.add(subject)
        return events.every(({ subject }) => seen.has(subject))
      },
      { what: `every event to be delivered, or on record as ${sql}`, timeoutMs: 90_000 },
    )
  }
})
