export { fromPglite, type PgliteDatabase, type PgliteTransaction } from './bridges/pglite.ts'
