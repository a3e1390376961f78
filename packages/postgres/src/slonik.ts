export {
  type SlonikDriverClient,
  type SlonikDriverFactory,
  slonikDriver,
} from './bridges/slonik/driver.ts'
export { fromSlonik, type SlonikPool } from './bridges/slonik/slonik.ts'
