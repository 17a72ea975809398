-- Domicile's own CRC of a part (CRC-64/NVME, base64), from which that of the whole follows.
ALTER TABLE parts ADD COLUMN crc text NOT NULL DEFAULT '';
