// Strict validation of rendered objects without a cluster. Field names and types come from the
// client library generated for Kubernetes 1.36, required fields and enumerations from
// kubernetes-models' schemas; neither knows custom resources, whose fields are named here.
// usage: strict.mjs FILE... (each of them YAML documents); prints problems, exit code 1 for any.
import fs from 'node:fs';
import path from 'node:path';
import {createRequire} from 'node:module';

// The packages lie in a directory that is not above this file.
const modules = process.env.NODE_MODULES;
const require = createRequire(path.join(modules, 'x.js'));
const {loadAll} = require('js-yaml');
const models = await import(
  'file://' + path.join(modules, '@kubernetes/client-node/dist/gen/models/all.js'));

// name: null takes anything; an array is a list of the one thing in it.
const relabeling = null;
const custom = {
  'monitoring.coreos.com/v1 ServiceMonitor': {
    selector: {matchLabels: null},
    endpoints: [{port: '', path: '', interval: '', scrapeTimeout: '', relabelings: [relabeling],
      metricRelabelings: [relabeling]}],
  },
  'monitoring.coreos.com/v1 PrometheusRule': {
    groups: [{name: '', interval: '', rules: [
      {alert: '', expr: '', for: '', labels: null, annotations: null, record: ''}]}],
  },
  'gateway.networking.k8s.io/v1 HTTPRoute': {
    parentRefs: [{name: '', namespace: '', sectionName: '', port: 0}],
    hostnames: [''],
    rules: [{matches: [{path: {type: '', value: ''}}], backendRefs: [{name: '', port: 0}]}],
  },
};

let problems = 0;
let count = 0;
let current = '';
function problem(where, message) {
  problems += 1;
  console.log(`${current}${where}: ${message}`);
}

const primitive = {
  number: v => typeof v === 'number',
  string: v => typeof v === 'string',
  boolean: v => typeof v === 'boolean',
  any: () => true,
  IntOrString: v => typeof v === 'number' || typeof v === 'string',
  Date: v => v instanceof Date || typeof v === 'string',
  V1MicroTime: () => true,
  object: v => typeof v === 'object',
};

function isMap(value) {
  return typeof value === 'object' && !Array.isArray(value);
}

function checkList(type, value, where) {
  if (!Array.isArray(value)) return problem(where, 'must be a list');
  value.forEach((item, index) => checkType(type, item, `${where}[${index}]`));
}

function checkValues(type, value, where) {
  if (!isMap(value)) return problem(where, 'must be a map');
  for (const key of Object.keys(value)) checkType(type, value[key], `${where}.${key}`);
}

function checkType(type, value, where) {
  if (value === null || value === undefined) return problem(where, 'has no value');
  const list = /^Array<(.*)>$/.exec(type);
  if (list) return checkList(list[1], value, where);
  const map = /^\{ \[key: string\]: (.*); \}$/.exec(type);
  if (map) return checkValues(map[1], value, where);
  if (primitive[type]) {
    if (!primitive[type](value)) problem(where, `must be ${type}, is ${typeof value}`);
    return;
  }
  const model = models[type];
  if (!model) return problem(where, `is of an unknown type ${type}`);
  if (!isMap(value)) return problem(where, 'must be an object');
  const known = new Map(model.getAttributeTypeMap().map(a => [a.baseName, a.type]));
  for (const key of Object.keys(value)) {
    if (known.has(key)) checkType(known.get(key), value[key], `${where}.${key}`);
    else problem(`${where}.${key}`, 'unknown field');
  }
}

function checkCustom(shape, value, where) {
  if (shape === null) return;
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return problem(where, 'must be a list');
    value.forEach((item, index) => checkCustom(shape[0], item, `${where}[${index}]`));
  } else if (typeof shape === 'object') {
    if (!value || !isMap(value)) return problem(where, 'must be an object');
    for (const key of Object.keys(value)) {
      if (key in shape) checkCustom(shape[key], value[key], `${where}.${key}`);
      else problem(`${where}.${key}`, 'unknown field');
    }
  } else if (typeof value !== typeof shape) {
    problem(where, `must be ${typeof shape}, is ${typeof value}`);
  }
}

function checkBuiltIn(object) {
  const version = object.apiVersion.split('/').pop();
  const name = version[0].toUpperCase() + version.slice(1) + object.kind;
  if (!models[name]) return problem('', `${object.apiVersion} does not exist in Kubernetes 1.36`);
  checkType(name, object, '');
  try {
    const kind = require(`kubernetes-models/${object.apiVersion}/${object.kind}`)[object.kind];
    new kind(object).validate();
  } catch (error) {
    problem('', String(error.message).slice(0, 300));
  }
}

function check(object) {
  count += 1;
  current = `${object.kind} ${object.metadata?.name}`;
  const shape = custom[`${object.apiVersion} ${object.kind}`];
  if (!shape) return checkBuiltIn(object);
  checkType('V1ObjectMeta', object.metadata, '.metadata');
  checkCustom(shape, object.spec, '.spec');
}

for (const file of process.argv.slice(2)) {
  for (const object of loadAll(fs.readFileSync(file, 'utf8'))) {
    if (object) check(object);
  }
}
console.log(`${count} objects, ${problems} problems`);
process.exit(problems || !count ? 1 : 0);
