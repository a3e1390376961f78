import { Redis } from 'ioredis'
import { type Database, note } from './database.ts'

/**
 * Reads what is stored in Redis, where the events are the effects. `url` is called anew for each
 * read.
 */
export function redisBooks(
  url: () => string | Promise<string>,
): Pick<Database, 'effects' | 'events' | 'leftOver'> {
  const asked = async <T>(work: (client: Redis) => Promise<T>): Promise<T> => {
    const client = new Redis(await url())
    client.on('error', () => {})
    try {
      return await work(client)
    } finally {
      client.disconnect()
    }
  }
  const events = () => asked(receiptsByOrder)
  return { effects: events, events, leftOver: () => asked(runningAttempts) }
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
