#!/usr/bin/env bash
# Founds a trial ledger: makes four regions, joins their public parts, has each
# sign, and hands the genesis to all. Does nothing when that has been done.
set -euo pipefail

data=${DATA:-/data}
owner=${OWNER:-creditgw:creditgw}
regions=(110000 120000 130000 140000)
names=(北京 天津 河北 山西)
hosts=(beijing tianjin hebei shanxi)

if [[ -e $data/${regions[3]}/genesis.json ]]; then
  exit 0
fi

# Nobody will recover a trial: the recovery files' passphrase is kept nowhere.
CREDITGW_RECOVERY_PASSPHRASE=$(head -c 24 /dev/urandom | base64)
export CREDITGW_RECOVERY_PASSPHRASE

members=()
for i in "${!regions[@]}"; do
  dir=$data/${regions[i]}
  creditgw init --region "${regions[i]}" --name "${names[i]}" --addr "${hosts[i]}:8700" --dir "$dir"
  members+=("$dir/member.json")
done

# Every founder signs the same file, one after the other; it is handed out only
# when it is complete.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
creditgw genesis join "${members[@]}" -o "$work/genesis.json"
for region in "${regions[@]}"; do
  creditgw genesis sign --dir "$data/$region" "$work/genesis.json"
done
for region in "${regions[@]}"; do
  install -m 0644 "$work/genesis.json" "$data/$region/genesis.json"
  chown -R "$owner" "$data/$region"
done
