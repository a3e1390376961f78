import {
  type CallInit,
  createFetch,
  isReplayed,
  keyOf,
  type PendingStorage,
  type RetryError,
  type RetryErrorCode,
  type RetryEvent,
} from '@oncekey/client'
import { expectTypeOf, test } from 'vitest'

test('it can be used wherever a fetch is expected', () => {
  expectTypeOf(createFetch()).toExtend<typeof fetch>()
  expectTypeOf(createFetch()('/')).resolves.toEqualTypeOf<Response>()
})

test('a call takes the options of fetch and those about the key', () => {
  expectTypeOf<RequestInit>().toExtend<CallInit>()
  const fetch = createFetch()
  fetch(new URL('https://example.com'), { method: 'POST', idempotencyKey: 'k' })
  fetch(new Request('https://example.com'), { operation: 'order', response: 'stream' })
  // @ts-expect-error: a key is a string
  fetch('/', { idempotencyKey: 7 })
  // @ts-expect-error: it is buffered or streamed
  fetch('/', { response: 'json' })
})

test('another fetch implementation is accepted', () => {
  createFetch({ fetch: globalThis.fetch })
  createFetch({ fetch: async () => new Response() })
  // @ts-expect-error: what it resolves with is a Response
  createFetch({ fetch: async () => 'text' })
})

test('storages may be synchronous or asynchronous', () => {
  const sync = {
    getItem: (name: string): string | null => name,
    setItem: (_name: string, _value: string): void => {},
    removeItem: (_name: string): void => {},
  }
  const async = {
    getItem: async (name: string): Promise<string | null> => name,
    setItem: async (_name: string, _value: string): Promise<void> => {},
    removeItem: async (_name: string): Promise<void> => {},
  }
  expectTypeOf(sync).toExtend<PendingStorage>()
  expectTypeOf(async).toExtend<PendingStorage>()
  createFetch({ pending: { storage: sync } })
})

test('onRetry and errors say what happened', () => {
  createFetch({
    onRetry(event) {
      expectTypeOf(event).toEqualTypeOf<RetryEvent>()
      expectTypeOf(event.reason).toEqualTypeOf<
        'network-error' | 'timeout' | 'body-lost' | 'in-progress' | 'status'
      >()
    },
  })
  expectTypeOf<RetryError['code']>().toEqualTypeOf<RetryErrorCode>()
  expectTypeOf<RetryError['key']>().toEqualTypeOf<string | undefined>()
  expectTypeOf(isReplayed(new Response())).toEqualTypeOf<boolean>()
  expectTypeOf(keyOf(new Response())).toEqualTypeOf<string | undefined>()
})

test('misspelt options are refused', () => {
  // @ts-expect-error: it is maxAttempts
  createFetch({ attempts: 3 })
  // @ts-expect-error: it is pending.storage
  createFetch({ pending: globalThis })
})
