export * from '../../../node/test/held-store.ts'
