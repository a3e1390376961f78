export * from '../../../node/test/connection.ts'
