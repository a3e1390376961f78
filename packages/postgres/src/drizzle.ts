export { type DrizzleDatabase, fromDrizzle } from './bridges/drizzle.ts'
