import type { Store } from '@oncekey/core'
import type { Consumer, Relay } from '@oncekey/outbox'
import type { AnySaga, SagaRunner } from '@oncekey/saga'

// What a snippet has made is known by its shape, as a reader would know it.

export const hasMethods = (value: unknown, ...names: readonly string[]): boolean =>
  (typeof value === 'object' || typeof value === 'function') &&
  value !== null &&
  names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')

export const isStore = (value: unknown): value is Store<unknown> =>
  hasMethods(value, 'begin', 'open')

export const isConsumer = (value: unknown): value is Consumer =>
  hasMethods(value, 'isPermanent') && 'work' in (value as object)

export const isRelay = (value: unknown): value is Relay =>
  hasMethods(value, 'runOnce', 'start', 'stop') && !hasMethods(value, 'execute')

export const isSaga = (value: unknown): value is AnySaga<unknown> =>
  hasMethods(value, 'step', 'result')

export const isSagaRunner = (value: unknown): value is SagaRunner<unknown> =>
  hasMethods(value, 'execute', 'submit', 'stop')
