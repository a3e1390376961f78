export {
  fromKysely,
  type KyselyDatabase,
  type KyselyOptions,
  type KyselyPool,
} from './bridges/kysely.ts'
