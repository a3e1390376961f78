import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { EventsUndoneMessage } from '@oncekey/core'
import { eventually } from '../../behaviour/eventually.ts'
import type { AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { created } from '../site/adapter-context.ts'
import type { Reply, SiteHandler } from '../site/adapter-fixture.ts'

/** A handler that emits events and then responds with a status that undoes them is told so. */
export function eventsUndone(): AdapterBehaviourGroup {
  return {
    title: 'events that a response undoes',
    behaviours: [
      {
        title: 'are reported on a diagnostics channel every time',
        async run({ serve, name }) {
          const keys = [name(), name()]
          const site = await serve(emits(['order.created', 'order.paid'], { status: 422 }))
          const told = await listening(async () => {
            for (const key of keys) await site.post(key)
          })
          assert.deepEqual(
            told.filter(({ key }) => keys.includes(key as string)).map(summary),
            keys.map((key) => [key, 422, ['order.created', 'order.paid']]),
          )
        },
      },
      {
        title: 'are not reported if nothing was emitted, or everything kept',
        async run({ serve, name }) {
          const keys = [name(), name()]
          const silent = await serve(() => ({ status: 422 }))
          const kept = await serve(emits(['order.created'], created()))
          const told = await listening(async () => {
            await silent.post(keys[0])
            await kept.post(keys[1])
          })
          assert.deepEqual(told.filter(({ key }) => keys.includes(key as string)).map(summary), [])
        },
      },
      {
        title: 'cause one warning per route',
        async run({ serve, name }) {
          // Letters only, because a segment with digits would be taken for an id when no router
          // provides the route.
          const path = `/orders-${name().replace(/\d/g, (digit) => 'ghijklmnop'.charAt(Number(digit)))}`
          const warnings: string[] = []
          const listen = ({ message }: Error): void => {
            if (message.includes(path)) warnings.push(message)
          }
          const handler = emits(['order.created'], { status: 422 })
          const site = await serve(handler, { routes: [{ method: 'POST', path, handler }] })
          process.on('warning', listen)
          try {
            for (let n = 0; n < 3; n += 1) await site.post(name(), { path })
            await eventually('the warning', async () => warnings[0])
            // Each warning is emitted in its own tick, so further ones would have arrived by now.
            await new Promise((resolve) => setImmediate(resolve))
          } finally {
            process.off('warning', listen)
          }
          assert.equal(warnings.length, 1)
          assert.match(warnings[0] ?? '', /order\.created.*422.*keep\(\)/s)
        },
      },
    ],
  }
}

function emits(types: readonly string[], reply: Reply): SiteHandler {
  return ({ context }) => {
    for (const type of types) context.emit({ type })
    return reply
  }
}

async function listening(act: () => Promise<void>): Promise<EventsUndoneMessage[]> {
  const told: EventsUndoneMessage[] = []
  const listen = (message: unknown): void => void told.push(message as EventsUndoneMessage)
  subscribe('oncekey:events-undone', listen)
  try {
    await act()
  } finally {
    unsubscribe('oncekey:events-undone', listen)
  }
  return told
}

const summary = ({ key, status, types }: EventsUndoneMessage) => [key, status, types]
