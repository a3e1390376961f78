import { setTimeout as sleep } from 'node:timers/promises'
import { type RedisServer, startRedis } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { type Database, note } from './database.ts'

/**
 * Redis; what takes effect there are the events. Its clock goes by itself: jemalloc and libfaketime
 * do not get on.
 */
export async function startRedisDatabase(durable: boolean): Promise<Database> {
  const settings = durable ? DURABLE : NOT_DURABLE
  const server = await startRedis({ settings })
  const events = () => asked(server, receiptsByOrder)

  return {
    url: server.url,
    port: server.port,
    completion: /evalsha/i,
    settings: Object.entries(settings)
      .map(([name, value]) => `${name} ${value}`)
      .join(', '),
    faults: faultsOf(server),
    effects: events,
    events,
    leftOver: () => asked(server, runningAttempts),
    stop: server.stop,
  }
}

function faultsOf(server: RedisServer): Database['faults'] {
  return {
    async 'database killed'(random) {
      await server.crash()
      await sleep(random.between(0, 500))
      await server.restart()
    },

    async 'database paused'(random) {
      server.pause()
      await sleep(random.between(200, 2_500))
      server.resume()
    },

    async 'clients disconnected'() {
      await server.cli('client', 'kill', 'type', 'normal')
    },

    async 'memory full'(random) {
      await server.cli('config', 'set', 'maxmemory', '1')
      await sleep(random.between(200, 1_500))
      await server.cli('config', 'set', 'maxmemory', '0')
    },

    async 'scripts forgotten'() {
      await server.cli('script', 'flush')
    },
  }
}

async function asked<T>({ url }: RedisServer, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url)
  client.on('error', () => {})
  try {
    return await work(client)
  } finally {
    client.disconnect()
  }
}

async function receiptsByOrder(client: Redis): Promise<Map<string, string[]>> {
  const all = new Map<string, string[]>()
  for (let partition = 0; partition < 64; partition++) {
    for (const [, fields] of await client.xrange(`oncekey:{${partition}}:outbox`, '-', '+')) {
      const value = (name: string): string => fields[fields.indexOf(name) + 1] ?? ''
      note(all, value('subject'), JSON.parse(value('data')).receipt)
    }
  }
  return all
}

async function runningAttempts(client: Redis): Promise<string[]> {
  const running: string[] = []
  for await (const keys of client.scanStream({ match: 'oncekey:*:key:*', count: 1_000 })) {
    for (const key of keys as string[]) {
      if ((await client.hget(key, 'state')) === 'running') running.push(`an attempt: ${key}`)
    }
  }
  return running
}

const DURABLE = {
  appendonly: 'yes',
  appendfsync: 'always',
  'maxmemory-policy': 'noeviction',
  'auto-aof-rewrite-percentage': '0',
}
const NOT_DURABLE = { ...DURABLE, appendonly: 'no', appendfsync: 'everysec' }
