export { fromKnex, type KnexDatabase } from './bridges/knex.ts'
