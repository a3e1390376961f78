import { type OnceOptions, once } from '../../src/engine/once.ts'
import { type MemoryTransaction, memoryStore } from '../../src/memory/memory-store.ts'

export const call = { scope: 'tenant-1', key: 'job-1', input: { invoice: 7 } }

export const jobs = (options: Partial<OnceOptions<MemoryTransaction>> = {}) =>
  once({ store: memoryStore(), namespace: 'jobs', ...options })
