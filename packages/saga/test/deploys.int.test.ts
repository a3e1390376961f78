import { setTimeout as pause } from 'node:timers/promises'
import { createSagaRunner } from '@oncekey/saga'
import { startNode, waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { deployedOrders } from './deployed-orders.ts'
import { type GatewayServer, gatewayServer } from './gateway-server.ts'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()
let gateway: GatewayServer
beforeAll(async () => {
  gateway = await gatewayServer()
})
afterAll(() => gateway.close())

const script = new URL('./children/deployed-orders.ts', import.meta.url)
const DEPLOYS = 9

test('two releases side by side, stopped and killed in turn, complete every run with each effect once', async () => {
  const start = (name: string, release: '1' | '2') =>
    startNode(script, {
      env: {
        DATABASE_URL: database.url(),
        GATEWAY_URL: gateway.url,
        RELEASE: release,
        NAME: name,
      },
    })
  const running = [await start('old', '1'), await start('new', '2')]
  for (let deploy = 0; deploy < DEPLOYS; deploy++) {
    await pause(Math.random() * 200)
    const at = deploy % 2
    const gone = running[at]
    // Every third process is killed instead of stopped.
    gone?.kill(deploy % 3 === 2 ? 'SIGKILL' : 'SIGTERM')
    await gone?.exited
    running[at] = await start(`deploy ${deploy}`, at === 0 ? '1' : '2')
  }
  for (const child of running) {
    child.kill('SIGTERM')
    await child.exited
  }

  const { first, second } = deployedOrders(gateway)
  const sagas = createSagaRunner<PoolClient>({
    client: database.pool(),
    sagas: [first, second],
    pollMs: 20,
    concurrency: 5,
  })
  sagas.start()
  await waitFor(
    async () => {
      const [row] = await database.query<{ open: string }>(
        'select count(*) as open from oncekey.saga_work',
      )
      return row?.open === '0'
    },
    { what: 'every run to end', timeoutMs: 60_000 },
  )
  await sagas.stop()

  const runs = await database.query<{ id: string; version: number; state: string }>(
    'select id, version, state from oncekey.saga_runs',
  )
  expect(runs.length).toBeGreaterThan(DEPLOYS)
  expect(new Set(runs.map(({ version }) => version))).toEqual(new Set([1, 2]))
  expect(runs.filter(({ state }) => state !== 'completed')).toEqual([])
  const effects = await database.query<{ run: string; step: string }>(
    'select run, step from effects order by run, step desc',
  )
  for (const { id, version } of runs) {
    const ofRun = effects.filter(({ run }) => run === id).map(({ step }) => step)
    expect(ofRun).toEqual(['create', 'confirm'])
    const calls = gateway.callsOf(id)
    expect(new Set(calls.map(({ action }) => action))).toEqual(
      new Set(version === 1 ? ['charge'] : ['charge', 'notify']),
    )
    // A process that took over repeats it under the same key.
    expect(new Set(calls.map(({ key }) => key)).size).toBe(version)
  }
}, 300_000)
