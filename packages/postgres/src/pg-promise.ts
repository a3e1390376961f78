export { fromPgPromise, type PgPromiseDatabase } from './bridges/on-pg/pg-promise.ts'
