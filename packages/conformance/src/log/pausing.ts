import assert from 'node:assert/strict'
import type { ConsumerControl } from '@oncekey/core'
import type { LogBehaviourGroup } from './fixture/log-behaviour.ts'
import type { LogContext } from './fixture/log-context.ts'

/** Pausing and resuming consumers, which every relay asks for. */
export function pausing(): LogBehaviourGroup {
  return {
    title: 'pausing consumers',
    behaviours: [
      {
        title: 'a consumer is paused until it is resumed, and every process sees it',
        async run(context) {
          const { reader } = context
          const on = controlOf(context)
          const there = controlOf({ ...context, log: await context.another() })
          const [one, other] = [(await reader()).consumer, (await reader()).consumer]
          assert.deepEqual(await there.paused([one, other]), [])
          assert.equal(await on.pause(one), 'paused')
          assert.deepEqual(await there.paused([one, other]), [one])
          assert.equal(await there.resume(one), 'resumed')
          assert.deepEqual(await on.paused([one, other]), [])
        },
      },
      {
        title: 'a second pause or resume changes nothing and says so',
        async run(context) {
          const on = controlOf(context)
          const { consumer } = await context.reader()
          assert.equal(await on.resume(consumer), 'already')
          assert.equal(await on.pause(consumer), 'paused')
          assert.equal(await on.pause(consumer), 'already')
          assert.deepEqual(await on.paused([consumer]), [consumer])
        },
      },
      {
        title: 'a consumer that is not known is neither paused nor resumed',
        async run(context) {
          const on = controlOf(context)
          const consumer = context.name()
          assert.equal(await on.pause(consumer), 'unknown')
          assert.equal(await on.resume(consumer), 'unknown')
          assert.deepEqual(await on.paused([consumer]), [])
          assert.deepEqual(await on.paused([]), [])
        },
      },
      {
        title: 'a paused consumer keeps its slots and its events',
        async run(context) {
          const by = await context.reader()
          await controlOf(context).pause(by.consumer)
          const event = context.event()
          await context.append(event)
          const { lost } = await by.lease()
          assert.deepEqual(lost, [])
          assert.deepEqual(
            (await by.readAll()).map(({ id }) => id),
            [event.id],
          )
        },
      },
      {
        title: 'subscribing again, as a new release does, leaves a consumer paused',
        async run(context) {
          const by = await context.reader()
          await controlOf(context).pause(by.consumer)
          await context.reader({ consumer: by.consumer })
          assert.deepEqual(await controlOf(context).paused([by.consumer]), [by.consumer])
        },
      },
      {
        title: 'a consumer that is retired is forgotten with its pause',
        async run(context) {
          const { log } = context
          const by = await context.reader()
          await controlOf(context).pause(by.consumer)
          await log.retire(by.consumer)
          assert.deepEqual(await controlOf(context).paused([by.consumer]), [])
          await context.reader({ consumer: by.consumer })
          assert.deepEqual(await controlOf(context).paused([by.consumer]), [])
        },
      },
      {
        title: 'what a relay reports of its work is taken, also of a consumer that is not known',
        async run(context) {
          const on = controlOf(context)
          const { consumer, relay } = await context.reader()
          const lastError = {
            name: 'PrinterError',
            message: 'no ink',
            eventId: context.event().id,
            at: new Date(),
          }
          await on.report({ consumer, relay, perSecond: 1.5, lastError })
          await on.report({ consumer: context.name(), relay, perSecond: 0, lastError: null })
        },
      },
    ],
  }
}

export function controlOf({ log }: Pick<LogContext, 'log'>): ConsumerControl {
  assert.ok(log.control, 'a log has `control`')
  return log.control
}
