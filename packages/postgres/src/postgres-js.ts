export { fromPostgresJs, type PostgresJs } from './bridges/postgres-js.ts'
