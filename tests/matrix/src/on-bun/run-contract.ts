import {
  type AdapterBehaviour,
  type AdapterSuiteStore,
  adapterBehaviours,
  memoryStores,
  runAdapterBehaviour,
  type ServeSite,
} from '@oncekey/conformance'
import { Pool, type PoolClient } from 'pg'
import { postgresJs } from '../../../../packages/postgres/test/bridges/driven/postgres-js.ts'
import { bridgeFixture, postgresFixture, prepared } from '../postgres-fixture.ts'
import { type BunServerName, bunServers } from './bun-servers.ts'

/** What became of one sentence of the adapter contract: a line of this program's output. */
export interface Sentence {
  readonly title: string
  readonly skipped?: string
  readonly failed?: string
}

export type BunStoreName = keyof typeof stores

const stores = {
  'the memory store': async () => memoryStores,

  async pg(url: string): Promise<readonly AdapterSuiteStore[]> {
    const pool = poolOf(url)
    await prepared(pool, pool)
    return [{ name: 'pg', create: () => postgresFixture<PoolClient>(pool, pool) }]
  },

  async 'postgres.js'(url: string): Promise<readonly AdapterSuiteStore[]> {
    const pool = poolOf(url)
    const bridge = await postgresJs.open({ url, max: 20 })
    await prepared(bridge.client, pool)
    return [{ name: 'postgres.js', create: () => bridgeFixture(bridge, pool) }]
  },
}

function poolOf(connectionString: string): Pool {
  const pool = new Pool({ connectionString, max: 20 })
  pool.on('error', () => {})
  return pool
}

/** The suite, its HTTP client, the server and the store are all in this process. */
async function runContract(serve: ServeSite, tested: readonly AdapterSuiteStore[]): Promise<void> {
  for (const store of tested) {
    for (const group of adapterBehaviours()) {
      for (const behaviour of group.behaviours) {
        const title = `${store.name}: ${group.title}: ${behaviour.title}`
        console.log(JSON.stringify({ title, ...(await outcomeOf(behaviour, serve, store)) }))
      }
    }
  }
}

async function outcomeOf(
  behaviour: AdapterBehaviour,
  serve: ServeSite,
  { create }: AdapterSuiteStore,
): Promise<Omit<Sentence, 'title'>> {
  if (behaviour.expresses === 'removed headers') return { skipped: LACKS }
  let timer: NodeJS.Timeout | undefined
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end within ${TIMEOUT_MS} ms`)), TIMEOUT_MS)
  })
  try {
    const ended = runAdapterBehaviour(behaviour, serve, create)
    const skipped = await Promise.race([ended, tooLong])
    return skipped === undefined ? {} : { skipped }
  } catch (error) {
    return { failed: (error as Error)?.stack ?? String(error) }
  } finally {
    clearTimeout(timer)
  }
}

const LACKS = 'what a fetch handler returns says nothing of the headers set outside it'
const TIMEOUT_MS = 30_000

const [server, store, url = ''] = process.argv.slice(2) as [BunServerName, BunStoreName, string?]
await runContract(bunServers[server], await stores[store](url))
process.exit()
