import { createSagaRunner } from '@oncekey/saga'
import { startNode, waitFor } from '@oncekey/test-servers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type GatewayServer, gatewayServer } from './gateway-server.ts'
import { BACKWARD, FORWARD, orderSaga } from './order-saga.ts'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()
let gateway: GatewayServer
beforeAll(async () => {
  gateway = await gatewayServer()
})
afterAll(() => gateway.close())

const effectsOf = async (run: string) =>
  (await database.query<{ step: string }>('select step from effects where run = $1', [run])).map(
    ({ step }) => step,
  )

/**
 * Ends all leases, as if their owners had not renewed them. The real lease is long enough for a
 * slow machine.
 */
const leasesEnd = () => database.query(`update oncekey.saga_work set due_at = now()`)

describe('SIGKILL at every boundary of a five-step saga', () => {
  // Each run hangs at a different point; then the process that drives them all is killed.
  const forward = FORWARD.map((point) => ({
    id: `forward: ${point}`,
    input: { item: `item at ${point}` },
  }))
  const backward = [...FORWARD, ...BACKWARD].map((point) => ({
    id: `backward: ${point}`,
    input: { item: `item back at ${point}`, failAt: 'confirm' },
  }))
  const runs = [...forward, ...backward]

  beforeAll(async () => {
    for (const { input } of runs) {
      await database.query('insert into stock values ($1, 10)', [input.item])
    }
    // Twice: the second process continues what the first one left, and dies at the same points.
    for (const given of [runs, []]) {
      const child = await startNode(new URL('./children/hanging-orders.ts', import.meta.url), {
        env: {
          DATABASE_URL: database.url(),
          GATEWAY_URL: gateway.url,
          RUNS: JSON.stringify(given),
        },
      })
      for (const { id } of runs) await child.waitForLine((line) => line === `at ${id}`, 30_000)
      child.kill()
      await child.exited
      await leasesEnd()
    }
    const order = orderSaga(gateway)
    const sagas = createSagaRunner({ client: database.pool(), sagas: [order], pollMs: 50 })
    sagas.start()
    await waitFor(
      async () => {
        const [row] = await database.query<{ open: string }>(
          'select count(*) as open from oncekey.saga_work',
        )
        return row?.open === '0'
      },
      { what: 'every run to end', timeoutMs: 30_000 },
    )
    await sagas.stop()
  })

  test.each(forward)('$id completes with each effect once', async ({ id, input }) => {
    expect(await stateOf(id)).toBe('completed')
    expect((await effectsOf(id)).sort()).toEqual(
      ['charge', 'confirm', 'create-order', 'reserve-stock'].sort(),
    )
    expect(await leftOver(input.item)).toBe(9)
    expect(keysOf(id)).toEqual({ charge: 1, ship: 1 })
    expect(await eventsOf(id)).toBe(1)
  })

  test.each(backward)('$id is undone with each effect once', async ({ id, input }) => {
    expect(await stateOf(id)).toBe('compensated')
    expect((await effectsOf(id)).sort()).toEqual(
      ['cancel-order', 'charge', 'create-order', 'reserve-stock', 'restore-stock'].sort(),
    )
    expect(await leftOver(input.item)).toBe(10)
    expect(keysOf(id)).toEqual({ charge: 1, ship: 1, recall: 1, refund: 1 })
    expect(await eventsOf(id)).toBe(0)
  })

  test('an outside call is repeated at most once for each process that died in it', () => {
    const calls = runs.map(({ id }) => gateway.callsOf(id).length)
    // Four actions, one of which runs in three processes.
    expect(Math.max(...calls)).toBeLessThanOrEqual(4 + 2)
    expect(calls).toContain(4 + 2)
  })

  const stateOf = async (id: string) =>
    (
      await database.query<{ state: string }>('select state from oncekey.saga_runs where id = $1', [
        id,
      ])
    )[0]?.state
  const leftOver = async (item: string) =>
    (
      await database.query<{ left_over: number }>('select left_over from stock where id = $1', [
        item,
      ])
    )[0]?.left_over
  const eventsOf = async (id: string) =>
    (await database.query('select from oncekey.outbox where subject = $1', [id])).length
  /** The number of different keys that each action was called with. */
  const keysOf = (id: string) => {
    const keys = new Map<string, Set<string>>()
    for (const { action, key } of gateway.callsOf(id)) {
      keys.set(action, (keys.get(action) ?? new Set()).add(key))
    }
    return Object.fromEntries([...keys].map(([action, { size }]) => [action, size]))
  }
})

describe('a process suspended until others have ended its runs', () => {
  const runs = ['zombie: after ship', 'zombie: before reserve-stock', 'zombie: before charge']

  test('records nothing more: its open transactions are rolled back, and it returns the result of the others', async () => {
    const child = await startNode(new URL('./children/zombie-orders.ts', import.meta.url), {
      env: {
        DATABASE_URL: database.url(),
        GATEWAY_URL: gateway.url,
        RUNS: JSON.stringify(runs),
      },
    })
    for (const id of runs) await child.waitForLine((line) => line === `at ${id}`)
    child.kill('SIGSTOP')
    await leasesEnd()
    const sagas = createSagaRunner({
      client: database.pool(),
      sagas: [orderSaga(gateway)],
      pollMs: 50,
    })
    sagas.start()
    for (const id of runs) {
      await waitFor(async () => (await sagas.get(id))?.state === 'completed', {
        what: `${id} to be gone on with`,
      })
    }
    const before = await Promise.all(runs.map((id) => sagas.get(id)))
    child.kill('SIGCONT')
    for (const id of runs) {
      await child.waitForLine((line) => line === `lost ${id}`)
      await child.waitForLine((line) => line.startsWith(`result ${id} charge-`))
      expect((await effectsOf(id)).sort()).toEqual(
        ['charge', 'confirm', 'create-order', 'reserve-stock'].sort(),
      )
      expect(new Set(gateway.callsOf(id).map(({ key }) => key)).size).toBe(2)
    }
    expect(await Promise.all(runs.map((id) => sagas.get(id)))).toEqual(before)
    await sagas.stop()
    child.kill()
    await child.exited
  })
})
