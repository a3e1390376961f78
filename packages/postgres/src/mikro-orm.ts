export { fromMikroOrm, type MikroOrm } from './bridges/on-pg/mikro-orm.ts'
